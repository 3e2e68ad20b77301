/** One subscriber of a topic: its queue, and the loop that brings what is queued to the handler while it runs. */
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import type { MaybePromise } from '../storage/storage.ts';
import {
  BoundedQueue,
  queueFull,
  type BoundedQueueOptions,
  type Offer,
  type OverflowPolicy,
  type Taken,
} from './bounded-queue.ts';
import type { CallProbe } from './call-probe.ts';
import { Delivery, stoppedError, type DeliveryOptions } from './delivery.ts';
import {
  checkConcurrency,
  checkFunction,
  handlerFunction,
  type Handler,
  type HandlerOutcome,
} from './event-handler.ts';
import type { Failures } from './failures.ts';
import type { Sampling } from './sampling.ts';
import { isThenable } from './thenable.ts';

export interface TopicSubscribeOptions<E extends Event = Event> extends DeliveryOptions {
  /** Says who failed. Unique in its `PubSub`. Default: the function's name and a number. */
  readonly name?: string | undefined;
  /** The most events that are queued. Default: 1,000. */
  readonly capacity?: number | undefined;
  /** What happens to an event when the queue is full. Default: `wait`. */
  readonly policy?: OverflowPolicy | undefined;
  /** How many events are handled at a time. Default: 1. */
  readonly concurrency?: number | undefined;
  /**
   * Events of one key are handled one after another, in the order of their publishing; different keys in parallel, as
   * far as `concurrency` allows. Default: no keys; with concurrency 1 all events are in order, else none.
   */
  readonly key?: ((event: E, topic: string) => string | undefined) | undefined;
  /** Asked before an event is queued. Where it throws, the event is a dead letter. */
  readonly filter?: ((event: E, topic: string) => boolean) | undefined;
  /** Unsubscribes when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Whole numbers since the subscription. `received` is the sum of all others and of what is queued or runs. */
export interface SubscriberCounts {
  readonly received: number;
  readonly handled: number;
  /** Dead letters: given up, refused by a full queue, or of a filter or a key that threw. */
  readonly failed: number;
  /** Shed by the policy, or still queued at the end of the subscription. */
  readonly dropped: number;
}

/** What a subscriber is made in. */
export interface TopicSubscriberHost {
  readonly ports: Ports;
  readonly failures: Failures;
  readonly sampling: Sampling;
}

interface Queued {
  readonly event: Event;
  readonly topic: string;
  /** Where somebody waits for what becomes of it. */
  readonly settled?: (status: HandlerOutcome['status'] | 'dropped') => void;
}

/** So many events are handled in one go where all is synchronous, before the host's own loop has a turn. */
const BURST = 256;

export class TopicSubscriber {
  readonly name: string;
  readonly #options: TopicSubscribeOptions;
  readonly #canHandle: ((event: Event) => boolean) | undefined;
  readonly #queue: BoundedQueue<Queued>;
  readonly #delivery: Delivery;
  readonly #ports: Ports;
  readonly #failures: Failures;
  readonly #sampling: Sampling;
  readonly #idle = new Set<() => void>();
  /** Those who wait for what becomes of an event, to be told when nothing will, soon. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #running = false;
  #scheduled = false;
  #busy = 0;
  #received = 0;
  #handled = 0;
  #failed = 0;

  /** @throws MillraceError `query.invalid` */
  constructor(
    name: string,
    handler: Handler,
    options: TopicSubscribeOptions,
    { ports, failures, sampling }: TopicSubscriberHost,
  ) {
    checkConcurrency(options.concurrency);
    checkFunction('key', options.key);
    checkFunction('filter', options.filter);
    this.name = name;
    this.#options = options;
    this.#canHandle =
      typeof handler === 'function' || handler.canHandle === undefined
        ? undefined
        : (event) => handler.canHandle!(event);
    const queue: BoundedQueueOptions = { capacity: options.capacity, policy: options.policy ?? 'wait' };
    this.#queue = new BoundedQueue<Queued>(queue, ({ settled }) => settled?.('dropped'));
    this.#delivery = new Delivery(name, handlerFunction(handler), options, ports, failures);
    this.#ports = ports;
    this.#failures = failures;
    this.#sampling = sampling;
  }

  get queueLength(): number {
    return this.#queue.length;
  }

  /** How many events the handler is busy with. */
  get busy(): number {
    return this.#busy;
  }

  get counts(): SubscriberCounts {
    return {
      received: this.#received,
      handled: this.#handled,
      failed: this.#failed,
      dropped: this.#queue.dropped,
    };
  }

  /** Has the handler's attempts looked at, until it is `undefined`. */
  probe(probe: CallProbe | undefined): void {
    this.#delivery.probe(probe);
  }

  /** `undefined` where the event is not for this subscriber. Never throws. */
  offer(event: Event, topic: string): MaybePromise<Offer> | undefined {
    return this.#offer({ event, topic });
  }

  /**
   * Queues the event, and resolves once it was handled, or is not for this subscriber any more; to `false` where it failed,
   * and is a dead letter again.
   *
   * @throws MillraceError `limit.exceeded` where the queue sheds it; `disposed` where the subscriber stops before its
   *   turn has come; the signal's reason.
   */
  redeliver(event: Event, topic: string, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise<boolean>((resolve, reject) => {
      const end = (error: unknown): void => {
        this.#waiting.delete(end);
        signal?.removeEventListener('abort', abort);
        reject(error);
      };
      const abort = (): void => end(signal?.reason);
      const settled = (status: HandlerOutcome['status'] | 'dropped'): void => {
        if (status === 'handled' || status === 'failed') resolve(status === 'handled');
        end(queueFull(this.name, this.#capacity));
      };
      this.#waiting.add(end);
      signal?.addEventListener('abort', abort, { once: true });
      const offer = this.#offer({ event, topic, settled });
      if (offer === undefined) settled('handled');
      else if (offer === 'refused') settled('failed');
      else if (offer === 'dropped') settled('dropped');
    });
  }

  #offer(queued: Queued): MaybePromise<Offer> | undefined {
    const { event, topic } = queued;
    try {
      if (!this.#accepts(event, topic)) return undefined;
      const key = this.#options.key?.(event, topic);
      this.#received++;
      const offer = this.#queue.offer(queued, key);
      if (offer === 'refused') this.#fail(event, topic, queueFull(this.name, this.#capacity));
      else this.#schedule();
      return offer;
    } catch (error) {
      this.#received++;
      this.#fail(event, topic, error);
      return 'refused';
    }
  }

  start(): void {
    this.#delivery.resume();
    this.#running = true;
    this.#schedule();
  }

  /** Aborts what runs; it ends as a dead letter. What is queued stays, and nobody waits for room any more. */
  stop(): void {
    this.#halt('stopped');
    this.#queue.acceptAll();
  }

  /** Aborts what runs and drops what is queued. */
  end(): void {
    this.#halt('unsubscribed');
    this.#queue.clear();
  }

  /** Once nothing is queued and the handler is not busy, or it no longer runs. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.add(resolve);
      this.#tellIdle();
    });
  }

  #halt(reason: string): void {
    this.#running = false;
    this.#delivery.stop(reason);
    for (const end of this.#waiting) end(stoppedError(this.name, reason));
    this.#tellIdle();
  }

  get #capacity(): number {
    return this.#options.capacity ?? 1000;
  }

  #accepts(event: Event, topic: string): boolean {
    const { filter } = this.#options;
    return (filter === undefined || filter(event, topic)) && (this.#canHandle?.(event) ?? true);
  }

  #schedule(): void {
    if (this.#scheduled || !this.#running) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#work());
  }

  #work(): void {
    const { concurrency = 1 } = this.#options;
    for (let count = 0; this.#running && this.#busy < concurrency; count++) {
      if (count === BURST) {
        this.#ports.after(0, () => this.#work());
        return;
      }
      const taken = this.#queue.take();
      if (taken === undefined) break;
      this.#deliver(taken);
    }
    // Not before: what a handler publishes to its own topic belongs to this burst.
    this.#scheduled = false;
    this.#tellIdle();
  }

  #deliver(taken: Taken<Queued>): void {
    this.#busy++;
    const { event, topic } = taken.value;
    const deliver = (): MaybePromise<HandlerOutcome> => this.#delivery.deliver(event, topic);
    const outcome = this.#sampling.due() ? this.#sampling.time(this.name, deliver) : deliver();
    if (!isThenable(outcome)) return this.#settle(taken, outcome);
    void outcome.then((outcome) => {
      this.#settle(taken, outcome);
      this.#schedule();
      this.#tellIdle();
    });
  }

  #settle(taken: Taken<Queued>, { status }: HandlerOutcome): void {
    this.#busy--;
    taken.release();
    taken.value.settled?.(status);
    if (status === 'handled') this.#handled++;
    else this.#failed++;
  }

  #fail(event: Event, topic: string, error: unknown): void {
    this.#failed++;
    this.#failures.add({ event, topic, handler: this.name, error, attempts: 0, final: true });
  }

  #tellIdle(): void {
    if (this.#busy > 0 || (this.#running && this.#queue.length > 0)) return;
    for (const tell of this.#idle) tell();
    this.#idle.clear();
  }
}
