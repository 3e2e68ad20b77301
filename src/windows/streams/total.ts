/** Totals over all keys of a window: each key's result is added, and taken out again when a later revision comes. */
import type { JsonValue } from '../../storage/storage.ts';

/** Pure, and the order in which values are added and subtracted makes no difference. */
export interface Total<Value, State extends JsonValue, Result> {
  initial(): State;
  add(state: State, value: Value): State;
  /** `subtract(add(state, value), value)` is `state`. */
  subtract(state: State, value: Value): State;
  result(state: State): Result;
}

export type AnyTotal = Total<never, JsonValue, unknown>;
