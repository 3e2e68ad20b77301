/** Conditions on events: a pattern, or a function where data does not say it. */
import type { Event } from '../event/event.ts';
import { routingInvalid } from './invalid.ts';
import { parsePattern } from './parse-pattern.ts';
import type { Pattern } from './pattern.ts';
import { RuleIndex } from './rule-index.ts';

/** Answers at once, and changes nothing. */
export type EventPredicate = (event: Event) => boolean;

export type Condition = Pattern | EventPredicate;

/**
 * The condition as a function.
 *
 * @throws MillraceError `pattern.invalid`, `routing.invalid`
 */
export function compileCondition(condition: Condition): EventPredicate {
  if (typeof condition === 'function') return condition;
  if (typeof condition !== 'object' || condition === null)
    throw routingInvalid('', condition, 'must be a pattern or a function');
  const index = new RuleIndex();
  const { number } = index.add(parsePattern(condition));
  return (event) => index.matchOne(number, event);
}
