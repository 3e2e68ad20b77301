/**
 * What a window computes from its events, one event at a time. Its state is JSON, so that it lives in storage between
 * two events of the same window, however long after one another they come.
 *
 * @example
 * const total: Aggregation<number, { sum: number }> = {
 *   initial: () => 0,
 *   add: (state, event) => state + (event.data as { total: number }).total,
 *   merge: (left, right) => left + right,
 *   result: (state) => ({ sum: state }),
 * };
 */
import type { Event } from '../event/event.ts';
import type { JsonValue } from '../storage/storage.ts';

/** Pure: the same events in the same order give the same state. A state is never changed in place. */
export interface Aggregation<State extends JsonValue, Value> {
  /** The state of no events. */
  initial(): State;
  add(state: State, event: Event): State;
  /** The state of both parts' events: `merge(a, initial())` is `a`. */
  merge(left: State, right: State): State;
  result(state: State): Value;
}
