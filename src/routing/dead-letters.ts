/** What could not be delivered, with its reason: the last ones, so that they can be looked at and sent again. */
import type { Event } from '../event/event.ts';
import type { RoutingRule } from './routing-rule.ts';

export interface RoutingDeadLetter {
  readonly event: Event;
  readonly rule: RoutingRule;
  readonly target: string;
  /** What the target threw; `timeout`, `routing.unknown` for no such target, `limit.exceeded` for a loop. */
  readonly error: unknown;
  readonly attempts: number;
  /** ms since the Unix epoch. */
  readonly at: number;
}

export class RoutingDeadLetters implements Iterable<RoutingDeadLetter> {
  readonly #capacity: number;
  #letters: RoutingDeadLetter[] = [];
  #dropped = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#letters.length;
  }

  /** How many gave way to newer ones, the oldest first, because the list was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** From the oldest on. */
  [Symbol.iterator](): Iterator<RoutingDeadLetter> {
    return this.#letters.values();
  }

  add(letter: RoutingDeadLetter): void {
    this.#letters.push(letter);
    if (this.#letters.length <= this.#capacity) return;
    this.#letters.shift();
    this.#dropped++;
  }

  /** Empties the list and gives what was in it, to be sent again or put away. */
  take(): readonly RoutingDeadLetter[] {
    const taken = this.#letters;
    this.#letters = [];
    return taken;
  }
}
