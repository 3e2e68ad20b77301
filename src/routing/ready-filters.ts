/**
 * Ready-made filters. Those of one thing are patterns, data that can be stored; `all`, `any` and `not` make functions of
 * whatever conditions they are given.
 */
import type { Event } from '../event/event.ts';
import type { Priority } from '../event/priority.ts';
import { compileCondition, type Condition, type EventPredicate } from './condition.ts';
import { routingInvalid } from './invalid.ts';
import type { Matchers, NumericRange, Pattern } from './pattern.ts';

/** By type; `*` in one is any text, as in `order.*`. */
export function byType(...types: readonly string[]): Pattern {
  return { type: textMatchers(types) };
}

/** By source; `*` in one is any text. */
export function bySource(...sources: readonly string[]): Pattern {
  return { source: textMatchers(sources) };
}

/** By a field of the data, its keys joined by dots: `byField('cart.total', { numeric: ['>', 100] })`. */
export function byField(path: string, ...matchers: Matchers): Pattern {
  return { [`data.${path}`]: matchers } satisfies Pattern;
}

/** By priority, from `least` on to `most`. Default of `most`: no upper bound. */
export function byPriority(least: Priority, most: Priority = 4): Pattern {
  return { priority: [{ numeric: ['>=', least, '<=', most] }] };
}

/** Half open, in ms since the Unix epoch. */
export interface TimeRange {
  /** Default: from the first event on. */
  readonly from?: number | undefined;
  /** Default: to the last. */
  readonly to?: number | undefined;
}

/** @throws MillraceError `routing.invalid` where the range has no end at all. */
export function byTime({ from, to }: TimeRange): Pattern {
  if (from === undefined && to === undefined)
    throw routingInvalid(
      '/from',
      from,
      'must be given, or /to, or both: a range without an end is none',
    );
  const range: NumericRange =
    from === undefined ? ['<', to!] : to === undefined ? ['>=', from] : ['>=', from, '<', to];
  return { timestamp: [{ numeric: range }] };
}

/** Where all of them match: also where there are none. */
export function all(...conditions: readonly Condition[]): EventPredicate {
  const predicates = conditions.map(compileCondition);
  return (event: Event) => predicates.every((matches) => matches(event));
}

/** Where one of them matches: not where there are none. */
export function any(...conditions: readonly Condition[]): EventPredicate {
  const predicates = conditions.map(compileCondition);
  return (event: Event) => predicates.some((matches) => matches(event));
}

export function not(condition: Condition): EventPredicate {
  const matches = compileCondition(condition);
  return (event: Event) => !matches(event);
}

function textMatchers(texts: readonly string[]): Matchers {
  return texts.map((text) => (text.includes('*') ? { wildcard: text.replaceAll('\\', '\\\\') } : text));
}
