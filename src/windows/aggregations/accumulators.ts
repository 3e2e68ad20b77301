/** Accumulators for every aggregation, and rows of them. */
import type { JsonValue } from '../../storage/storage.ts';
import type { Accumulator, Aggregation, EventBatch, StateTable } from '../aggregation.ts';
import type { Event } from '../../event/event.ts';

/** The aggregation's own accumulator, or its plain form as one. */
export function openAccumulator<State extends JsonValue, Value>(
  aggregation: Aggregation<State, Value>,
): Accumulator<State, Value> {
  return aggregation.accumulator?.() ?? new PlainAccumulator(aggregation);
}

/** The aggregation's own table, or a row of accumulators. */
export function openTable<State extends JsonValue, Value>(
  aggregation: Aggregation<State, Value>,
): StateTable<State, Value> {
  return aggregation.table?.() ?? new AccumulatorTable(aggregation);
}

/** The aggregation of an accumulator: its plain form opens one for each step. */
export function byAccumulator<State extends JsonValue, Value>(
  initial: () => State,
  accumulator: () => Accumulator<State, Value>,
): Aggregation<State, Value> {
  const open = (state: State): Accumulator<State, Value> => {
    const opened = accumulator();
    opened.load(state);
    return opened;
  };
  return {
    initial,
    add(state, event) {
      const opened = open(state);
      opened.fold(opened.read(event));
      return opened.state();
    },
    merge(left, right) {
      const opened = open(left);
      opened.merge(open(right));
      return opened.state();
    },
    result: (state) => open(state).result(),
    accumulator,
  };
}

class PlainAccumulator<State extends JsonValue, Value> implements Accumulator<State, Value> {
  readonly #aggregation: Aggregation<State, Value>;
  #state: State;

  constructor(aggregation: Aggregation<State, Value>) {
    this.#aggregation = aggregation;
    this.#state = aggregation.initial();
  }

  read(event: Event): State {
    return this.#aggregation.add(this.#state, event);
  }

  fold(next: State): void {
    this.#state = next;
  }

  merge(from: Accumulator<State, Value>): void {
    this.#state = this.#aggregation.merge(this.#state, from.state());
  }

  state(): State {
    return this.#state;
  }

  load(state: State): void {
    this.#state = state;
  }

  result(): Value {
    return this.#aggregation.result(this.#state);
  }
}

/** An accumulator a row, made when its row is first used. */
export class AccumulatorTable<State extends JsonValue, Value> implements StateTable<State, Value> {
  readonly fallible = true;
  readonly #aggregation: Aggregation<State, Value>;
  readonly #rows: (Accumulator<State, Value> | undefined)[] = [];
  readonly subtract?: (into: number, from: StateTable<State, Value>, row: number) => void;

  constructor(aggregation: Aggregation<State, Value>) {
    this.#aggregation = aggregation;
    if (aggregation.subtract === undefined) return;
    this.subtract = (into, from, row) =>
      this.load(into, aggregation.subtract!(this.state(into), from.state(row)));
  }

  grow(rows: number): void {
    while (this.#rows.length < rows) this.#rows.push(undefined);
  }

  addAll(rows: Int32Array, batch: EventBatch): void {
    const { length, events } = batch;
    for (let i = 0; i < length; i++) {
      const accumulator = this.#at(rows[i]!);
      try {
        accumulator.fold(accumulator.read(events[i]!));
      } catch (error) {
        batch.failed(i, error);
      }
    }
  }

  merge(into: number, from: AccumulatorTable<State, Value>, row: number): void {
    const part = from.#rows[row];
    if (part !== undefined) this.#at(into).merge(part);
  }

  clear(row: number): void {
    this.#rows[row] = undefined;
  }

  state(row: number): State {
    return this.#rows[row]?.state() ?? this.#aggregation.initial();
  }

  load(row: number, state: State): void {
    this.#at(row).load(state);
  }

  result(row: number): Value {
    return this.#at(row).result();
  }

  #at(row: number): Accumulator<State, Value> {
    return (this.#rows[row] ??= openAccumulator(this.#aggregation));
  }
}
