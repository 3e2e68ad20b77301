/**
 * The events of a subscription, to be read with `for await`. What was not read yet is buffered, to a bound; past it the
 * declared policy holds: with `wait` the publisher's report waits for the reader, with `fail` reading fails with
 * `limit.exceeded` after what was buffered.
 */
import type { Event } from '../event/event.ts';
import type { Undo } from '../ports.ts';
import { BoundedQueue, queueFull, type BoundedQueueOptions } from './bounded-queue.ts';
import { Fifo } from './fifo.ts';

export interface EventStreamOptions<E extends Event = Event> extends BoundedQueueOptions {
  readonly filter?: ((event: E) => boolean) | undefined;
  /** Ends the stream, as leaving the loop does. */
  readonly signal?: AbortSignal | undefined;
}

interface Reader<E> {
  readonly resolve: (result: IteratorResult<E, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

export class EventStream<E extends Event = Event> implements AsyncIterableIterator<E, undefined> {
  readonly #queue: BoundedQueue<E>;
  readonly #capacity: number;
  readonly #readers = new Fifo<Reader<E>>();
  #stop: Undo | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  /** @throws MillraceError `query.invalid` */
  constructor(options: BoundedQueueOptions) {
    this.#queue = new BoundedQueue(options);
    this.#capacity = options.capacity ?? 1000;
  }

  /** How many are buffered. */
  get length(): number {
    return this.#queue.length;
  }

  /** How many were never read: shed by the policy, or still buffered when reading ended. */
  get dropped(): number {
    return this.#queue.dropped + this.#queue.refused;
  }

  /** What feeds the stream, to be stopped when reading ends. */
  attach(stop: Undo): void {
    this.#stop = stop;
    if (this.#ended) stop();
  }

  /** A promise where the publisher is to wait for room. */
  push(event: E): Promise<unknown> | undefined {
    if (this.#ended) return undefined;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: event });
      return undefined;
    }
    const offer = this.#queue.offer(event);
    if (offer === 'refused') {
      this.#failure = { error: queueFull('a stream', this.#capacity) };
      this.end();
    }
    return typeof offer === 'string' ? undefined : offer;
  }

  /** No more events come; those that are buffered can still be read. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop?.();
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift())
      reader.resolve({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<E, undefined>> {
    const taken = this.#queue.take();
    if (taken !== undefined) return Promise.resolve({ done: false, value: taken.value });
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Leaves what is buffered. */
  return(): Promise<IteratorResult<E, undefined>> {
    this.end();
    this.#failure = undefined;
    this.#queue.clear();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
