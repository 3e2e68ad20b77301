/** What a reader wants of a log, as plain data that crosses to the shard, and as a predicate there. */
import type { Event } from '../../src/event/event.ts';
import { compileCondition, type EventPredicate } from '../../src/routing/condition.ts';
import { EventRouter } from '../../src/routing/event-router.ts';
import type { Pattern } from '../../src/routing/pattern.ts';
import type { RoutingRule } from '../../src/routing/routing-rule.ts';
import { selects } from '../../src/storage/selects.ts';
import type { Query } from '../../src/storage/storage.ts';

/** All that is given must hold. */
export interface EventFilter extends Pick<Query, 'types' | 'subject' | 'correlationId' | 'from' | 'to'> {
  readonly source?: string | undefined;
  readonly pattern?: Pattern | undefined;
  /** One of them must match: those of a target. */
  readonly rules?: readonly RoutingRule[] | undefined;
}

/** The part that the storage looks up by itself. */
export function queryOf({ types, subject, correlationId, from, to }: EventFilter): Query {
  return { types, subject, correlationId, from, to };
}

/**
 * The rest of it; none where the storage's look-up is all.
 *
 * @throws MillraceError `pattern.invalid`, `routing.invalid`
 */
export function compileRest({ source, pattern, rules }: EventFilter): EventPredicate | undefined {
  const predicates: EventPredicate[] = [];
  if (source !== undefined) predicates.push((event) => event.source === source);
  if (pattern !== undefined) predicates.push(compileCondition(pattern));
  if (rules !== undefined) predicates.push(anyOf(rules));
  if (predicates.length === 0) return undefined;
  return (event) => predicates.every((predicate) => predicate(event));
}

/** The whole filter as one predicate. @throws MillraceError as `compileRest` does */
export function compileFilter(filter: EventFilter): EventPredicate | undefined {
  const rest = compileRest(filter);
  const query = queryOf(filter);
  if (Object.values(query).every((value) => value === undefined)) return rest;
  return (event: Event) => selects(query, event) && (rest?.(event) ?? true);
}

function anyOf(rules: readonly RoutingRule[]): EventPredicate {
  // That a rule can only be scanned is said when it is put; here it costs its own readers alone.
  const router = new EventRouter({ onWarning: () => undefined });
  router.addRules(rules);
  return (event) => router.match(event).length > 0;
}
