/**
 * What a window computes from its events, one event at a time. Its state is JSON, so that it lives in storage between
 * two events of the same window, however long after one another they come.
 *
 * The plain form (`initial`, `add`, `merge`, `result`) says all of it, and is all that one's own aggregation needs. The
 * others are for speed, and give the same states: an accumulator is a state that changes in place, a table is the states
 * of many windows and keys side by side, each a row of numbers (Boncz et al., MonetDB/X100, 2005: a column at a time).
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

/** Pure: the same events give the same state, and for those of this project in any order. A state is never changed in place. */
export interface Aggregation<State extends JsonValue, Value> {
  /** The state of no events. */
  initial(): State;
  /** @throws What the event is a dead letter for. Nothing has changed then. */
  add(state: State, event: Event): State;
  /** The state of both parts' events: `merge(a, initial())` is `a`. */
  merge(left: State, right: State): State;
  result(state: State): Value;
  /** The state without the events of `part`, which are in it: `subtract(merge(a, b), b)` is `a`. Only where it is exact. */
  subtract?(state: State, part: State): State;
  /** The numbers that `table` takes from each event. Default: none. */
  readonly inputs?: readonly NumberInput[];
  /** Many states side by side. Default: an accumulator a row (`openTable`). */
  table?(): StateTable<State, Value>;
  /** A state that changes in place, for states that are dear to copy. Default: the plain form (`openAccumulator`). */
  accumulator?(): Accumulator<State, Value>;
}

/** A number that is taken from every event. */
export interface NumberInput {
  /** Two inputs of the same field, as a path or as one function, give the same numbers: read it once. */
  readonly field: unknown;
  /**
   * NaN: the event has none, and is passed over.
   *
   * @throws MillraceError `value.invalid` where there is a value that is no finite number, and whatever a function throws.
   */
  read(event: Event): number;
}

/** Events side by side, with what the inputs have read from them. */
export interface EventBatch {
  /** Events from 0 up to, but without, this. The arrays may be longer. */
  readonly length: number;
  readonly events: readonly Event[];
  /** For each of the aggregation's inputs, in their order, the number of each event; NaN: passed over. */
  readonly numbers: readonly Float64Array[];
  /** Told of each event that could not be folded, once: it has changed nothing in the table. */
  failed(index: number, error: unknown): void;
}

/**
 * States by row number. A row that `grow` has made, or `clear` has cleared, holds no events. Not for two threads, and
 * no row is touched while a method runs.
 */
export interface StateTable<State extends JsonValue, Value> {
  /** Whether `addAll` may tell of events that failed. Where not, all that can fail has failed in the inputs. */
  readonly fallible: boolean;
  /** Makes room for the rows from 0 up to, but without, `rows`. The rows that there are stay as they are. */
  grow(rows: number): void;
  /** Folds event i into row `rows[i]`, for every i of the batch. Every row must have been made. */
  addAll(rows: Int32Array, batch: EventBatch): void;
  /** Adds the events of a row of `from` to the row `into`. `from` is of the same aggregation, or this table itself. */
  merge(into: number, from: StateTable<State, Value>, row: number): void;
  /** Takes the events of a row of `from` out of the row `into`. There where the aggregation has `subtract`. */
  subtract?(into: number, from: StateTable<State, Value>, row: number): void;
  /** Forgets the row's events, and what was allocated for them. */
  clear(row: number): void;
  /** As `merge` of row `rows[i]` into row `into[i]`, for every i below `length`. Default: one by one. */
  mergeAll?(into: Int32Array, from: StateTable<State, Value>, rows: Int32Array, length: number): void;
  /** As `clear` of each. Default: one by one. */
  clearAll?(rows: Int32Array, length: number): void;
  state(row: number): State;
  /** Puts a state into a row, in place of what is there. */
  load(row: number, state: State): void;
  /** As the aggregation's `result` of the row's state. */
  result(row: number): Value;
}

/** One state, changed in place. A new one holds no events. */
export interface Accumulator<State extends JsonValue, Value> {
  /** What `fold` needs of the event. All that can fail fails here, and changes nothing. */
  read(event: Event): unknown;
  /** Folds what was read last, before anything else was folded. */
  fold(read: unknown): void;
  merge(from: Accumulator<State, Value>): void;
  state(): State;
  load(state: State): void;
  result(): Value;
}
