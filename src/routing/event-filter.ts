/**
 * Named filters: patterns or functions, applied to one event, to many, or to a stream of them.
 *
 * @example
 * const filters = new EventFilter();
 * filters.add('large orders', { type: ['order.placed'], data: { total: [{ numeric: ['>=', 100] }] } });
 * filters.apply('large orders', events);
 */
import type { Event } from '../event/event.ts';
import { compileCondition, type Condition } from './condition.ts';
import { checkName, nameTaken, nameUnknown, routingInvalid } from './invalid.ts';
import { parsePattern } from './parse-pattern.ts';
import { RuleIndex, type RuleNumber } from './rule-index.ts';

interface NamedFilter {
  readonly name: string;
  readonly condition: Condition;
  /** Of a pattern, its number in the index. */
  readonly number: RuleNumber | undefined;
}

export class EventFilter {
  readonly #filters = new Map<string, NamedFilter>();
  readonly #index = new RuleIndex();
  readonly #byNumber: (NamedFilter | undefined)[] = [];

  /** In the order in which they were added. */
  get names(): readonly string[] {
    return [...this.#filters.keys()];
  }

  /**
   * A pattern is not to be changed after this.
   *
   * @throws MillraceError `pattern.invalid`, `routing.invalid`, `routing.conflict` for a name that is taken
   */
  add(name: string, condition: Condition): void {
    checkName('/name', name);
    if (this.#filters.has(name)) throw nameTaken('a filter', name);
    if (typeof condition !== 'function' && (typeof condition !== 'object' || condition === null))
      throw routingInvalid('/condition', condition, 'must be a pattern or a function');
    const number =
      typeof condition === 'function' ? undefined : this.#index.add(parsePattern(condition)).number;
    const filter = { name, condition, number };
    this.#filters.set(name, filter);
    if (number !== undefined) this.#byNumber[number] = filter;
  }

  /** Whether there was one. */
  remove(name: string): boolean {
    const filter = this.#filters.get(name);
    if (filter?.number !== undefined) {
      this.#index.remove(filter.number);
      this.#byNumber[filter.number] = undefined;
    }
    return this.#filters.delete(name);
  }

  /** The condition, as it was given. */
  get(name: string): Condition | undefined {
    return this.#filters.get(name)?.condition;
  }

  /** @throws MillraceError `routing.unknown`; what a function throws */
  matches(name: string, event: Event): boolean {
    const { condition, number } = this.#named(name);
    return typeof condition === 'function' ? condition(event) : this.#index.matchOne(number!, event);
  }

  /** The names of all filters that the event passes, in the order in which they were added: one search for all patterns. */
  matching(event: Event): readonly string[] {
    const matched: RuleNumber[] = [];
    this.#index.match(event, matched);
    const patterns = new Set(matched.map((number) => this.#byNumber[number]));
    return [...this.#filters.values()]
      .filter((filter) =>
        typeof filter.condition === 'function' ? filter.condition(event) : patterns.has(filter),
      )
      .map((filter) => filter.name);
  }

  /** The events that pass, in their order. As `stream`, by the filter as it is now, whatever becomes of it. */
  apply<E extends Event>(name: string, events: Iterable<E>): readonly E[] {
    const matches = compileCondition(this.#named(name).condition);
    const passed: E[] = [];
    for (const event of events) if (matches(event)) passed.push(event);
    return passed;
  }

  /** The events that pass, as they come. Ends where the stream ends, and ends the stream where the reader leaves. */
  stream<E extends Event>(
    name: string,
    events: AsyncIterable<E> | Iterable<E>,
  ): AsyncGenerator<E, void, undefined> {
    return passing(events, compileCondition(this.#named(name).condition));
  }

  #named(name: string): NamedFilter {
    const filter = this.#filters.get(name);
    if (filter === undefined) throw nameUnknown('filter', name);
    return filter;
  }
}

async function* passing<E extends Event>(
  events: AsyncIterable<E> | Iterable<E>,
  matches: (event: E) => boolean,
): AsyncGenerator<E, void, undefined> {
  for await (const event of events) if (matches(event)) yield event;
}
