/** Dead letters: what a handler was given up on, kept with its reason so that it can be looked at and driven again. */
import type { Event } from '../event/event.ts';
import { checkNumber } from './event-handler.ts';

/** Named apart from sync's `DeadLetter`, which the edge has refused. */
export interface HandlerDeadLetter {
  readonly event: Event;
  /** The name of the subscription, or of the middleware, that failed. */
  readonly handler: string;
  /** What the last attempt failed with, in words. */
  readonly reason: string;
  readonly error: unknown;
  /** How often the handler was called; 0 where it never came to that. */
  readonly attempts: number;
  /** When it was given up, in ms since the Unix epoch. */
  readonly at: number;
  /** Where it was published, if by a topic. */
  readonly topic?: string;
}

/** Where dead letters go. What it throws, or rejects with, is logged: a dead letter never stops an event. */
export interface DeadLetterSink {
  add(letter: HandlerDeadLetter): unknown;
}

export interface DeadLetterListOptions {
  /** The most that are kept; the oldest gives way, and is counted. Default: 1,000. */
  readonly capacity?: number;
  /** Called with each letter as it is added. */
  readonly onLetter?: (letter: HandlerDeadLetter) => void;
}

/** A bounded list in memory. */
export class DeadLetterList implements DeadLetterSink, Iterable<HandlerDeadLetter> {
  readonly #letters = new Set<HandlerDeadLetter>();
  readonly #capacity: number;
  readonly #onLetter: ((letter: HandlerDeadLetter) => void) | undefined;
  #dropped = 0;

  /** @throws MillraceError `query.invalid` */
  constructor(options: DeadLetterListOptions = {}) {
    checkNumber('capacity', options.capacity, 1, 'whole');
    this.#capacity = options.capacity ?? 1000;
    this.#onLetter = options.onLetter;
  }

  get length(): number {
    return this.#letters.size;
  }

  /** How many gave way to newer ones. */
  get dropped(): number {
    return this.#dropped;
  }

  add(letter: HandlerDeadLetter): void {
    this.#letters.add(letter);
    const [oldest] = this.#letters;
    if (this.#letters.size > this.#capacity && oldest !== undefined) {
      this.#letters.delete(oldest);
      this.#dropped++;
    }
    this.#onLetter?.(letter);
  }

  /** To be called once the letter has been driven again. Whether it was there. */
  remove(letter: HandlerDeadLetter): boolean {
    return this.#letters.delete(letter);
  }

  /** The oldest first. */
  [Symbol.iterator](): Iterator<HandlerDeadLetter> {
    return this.#letters.values();
  }
}
