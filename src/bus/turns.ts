/**
 * Who publishes from inside a handler waits for its turn: the event that is being dispatched first reaches all of its
 * handlers, then what they published goes out, in order. So every handler sees a cause before its effects, all see the
 * same order, and a chain of events does not grow the stack. (Depth first, as most emitters do it, the second handler of
 * an event would see what the first one made of it before the event itself.)
 *
 * What a handler publishes after an `await` stands at the start of a turn of its own.
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { PublishReport } from './dispatch.ts';
import { Fifo } from './fifo.ts';

/** A chain of events that each publish the next, all synchronously, is a loop past this. */
export const MAX_CHAIN = 100;
/** The most events that wait for their turn. */
export const MAX_TURNS = 100_000;

interface Turn {
  readonly event: Event;
  readonly depth: number;
  readonly resolve: (report: MaybePromise<PublishReport>) => void;
}

export class Turns {
  readonly #run: (event: Event) => MaybePromise<PublishReport>;
  readonly #waiting = new Fifo<Turn>();
  #running = false;
  #depth = 0;

  /** `run` must not throw. */
  constructor(run: (event: Event) => MaybePromise<PublishReport>) {
    this.#run = run;
  }

  /** Events that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * At once, or a promise from inside a running dispatch.
   *
   * @throws MillraceError `limit.exceeded`
   */
  take(event: Event): MaybePromise<PublishReport> {
    if (this.#running) return this.#wait(event);
    this.#running = true;
    try {
      return this.#run(event);
    } finally {
      this.#end();
    }
  }

  /** For what comes back to the bus later on, out of a middleware that delays: a dispatch like any other. */
  resume(task: () => MaybePromise<PublishReport>): MaybePromise<PublishReport> {
    if (this.#running) return task();
    this.#running = true;
    try {
      return task();
    } finally {
      this.#end();
    }
  }

  #wait(event: Event): Promise<PublishReport> {
    const depth = this.#depth + 1;
    if (depth > MAX_CHAIN) throw exceeded('publish.chain', MAX_CHAIN, depth);
    if (this.#waiting.length >= MAX_TURNS) throw exceeded('publish.waiting', MAX_TURNS, MAX_TURNS + 1);
    return new Promise((resolve) => this.#waiting.push({ event, depth, resolve }));
  }

  #end(): void {
    if (this.#waiting.length > 0) this.#takeAll();
    this.#running = false;
  }

  #takeAll(): void {
    for (let turn = this.#waiting.shift(); turn !== undefined; turn = this.#waiting.shift()) {
      this.#depth = turn.depth;
      turn.resolve(this.#run(turn.event));
    }
    this.#depth = 0;
  }
}

function exceeded(limit: string, maximum: number, actual: number): MillraceError<'limit.exceeded'> {
  const text =
    limit === 'publish.chain'
      ? `${maximum} events have each published the next: handlers publish in a circle`
      : `${maximum} events wait to be published from inside handlers: await some of them`;
  return new MillraceError('limit.exceeded', text, { limit, maximum, actual });
}
