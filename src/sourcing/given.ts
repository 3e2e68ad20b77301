/**
 * Tests of a decider in its own words: given what has happened, when a command comes, then this happens.
 *
 * @example
 * const given = givenFor(cart);
 * given({ type: 'cart.opened', data: {} })
 *   .when({ do: 'add', productId: 'espresso' })
 *   .then({ type: 'product.added', data: { productId: 'espresso' } });
 * given().when({ do: 'checkOut' }).thenRefused(/empty/);
 */
import { isWireError, type ErrorCode } from '../errors.ts';
import { decideAll, type Decider, type Draft } from './decider.ts';

/** What was not as it should be. */
export class GivenBroken extends Error {
  constructor(message: string, actual: unknown, expected: unknown) {
    super(`${message}\n  actual:   ${show(actual)}\n  expected: ${show(expected)}`);
    this.name = 'GivenBroken';
  }
}

export interface Given<Command, E extends Draft> {
  when(command: Command): When<E>;
}

export interface When<E extends Draft> {
  /** These events, in this order: their types and data, and what else is said of each. @throws GivenBroken */
  then(...events: readonly E[]): void;
  /** Nothing. @throws GivenBroken */
  thenNothing(): void;
  /** It is refused: with that Millrace code, or a message that matches. @throws GivenBroken */
  thenRefused(by?: ErrorCode | RegExp): void;
}

export function givenFor<State, Command, E extends Draft>(
  decider: Decider<State, Command, E>,
): (...events: readonly E[]) => Given<Command, E> {
  return (...events) => ({
    when(command) {
      const state = events.reduce(
        (folded, event) => decider.evolve(folded, event),
        decider.initialState(),
      );
      return new Outcome<E>(() => decideAll(decider, command, state));
    },
  });
}

class Outcome<E extends Draft> implements When<E> {
  readonly #decided: readonly E[] | undefined;
  readonly #error: unknown;

  constructor(decide: () => readonly E[]) {
    try {
      this.#decided = decide();
    } catch (error) {
      this.#error = error;
    }
  }

  // The word is worth it: nobody awaits an assertion.
  // oxlint-disable-next-line unicorn/no-thenable
  then(...events: readonly E[]): void {
    this.#assertDecided(events);
  }

  thenNothing(): void {
    this.#assertDecided([]);
  }

  #assertDecided(events: readonly E[]): void {
    const actual = this.#decided?.map((event, i) => onlyAsked(event, events[i]));
    if (actual === undefined) throw new GivenBroken('it was refused', String(this.#error), events);
    if (show(actual) !== show(events)) throw new GivenBroken('other events', actual, events);
  }

  thenRefused(by?: ErrorCode | RegExp): void {
    if (this.#decided !== undefined)
      throw new GivenBroken('not refused', this.#decided, by ?? 'an error');
    const error = this.#error;
    const message = error instanceof Error ? error.message : String(error);
    const holds =
      by === undefined ||
      (by instanceof RegExp ? by.test(message) : isWireError(error) && error.code === by);
    if (!holds) throw new GivenBroken('refused otherwise', message, String(by));
  }
}

/** Of an event, its type and data, and what else the expected one names. */
function onlyAsked<E extends Draft>(event: E, expected: E | undefined): Partial<E> {
  const names = new Set(['type', 'data', ...Object.keys(expected ?? {})]);
  return Object.fromEntries(Object.entries(event).filter(([name]) => names.has(name))) as Partial<E>;
}

/** JSON with sorted keys, so that what says the same is shown the same. */
function show(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part) && !(part instanceof RegExp)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
  return text ?? String(value);
}
