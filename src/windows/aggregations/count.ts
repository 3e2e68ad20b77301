/** How many events, or how many that have a field. */
import type { Aggregation, EventBatch, NumberInput, StateTable } from '../aggregation.ts';
import { grown } from './cells.ts';
import { presenceInput, type Field } from './field.ts';

/**
 * The number of the events; with a field, of those that have it, whatever it holds.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function count(field?: Field): Aggregation<number, number> {
  return field === undefined ? countEvents : countOf(presenceInput(field));
}

const sums = {
  initial: () => 0,
  merge: (left: number, right: number) => left + right,
  subtract: (state: number, part: number) => state - part,
  result: (state: number) => state,
};

const countEvents: Aggregation<number, number> = {
  ...sums,
  add: (state) => state + 1,
  table: () => new CountTable(false),
};

/** How many events the input has a number of. */
export function countOf(input: NumberInput): Aggregation<number, number> {
  return {
    ...sums,
    inputs: [input],
    add: (state, event) => (Number.isNaN(input.read(event)) ? state : state + 1),
    table: () => new CountTable(true),
  };
}

class CountTable implements StateTable<number, number> {
  readonly fallible = false;
  readonly #ofInput: boolean;
  #counts = new Float64Array(0);

  constructor(ofInput: boolean) {
    this.#ofInput = ofInput;
  }

  grow(rows: number): void {
    this.#counts = grown(this.#counts, rows, 0);
  }

  addAll(rows: Int32Array, { length, numbers }: EventBatch): void {
    const counts = this.#counts;
    if (!this.#ofInput) {
      for (let i = 0; i < length; i++) counts[rows[i]!]! += 1;
      return;
    }
    const values = numbers[0]!;
    for (let i = 0; i < length; i++) {
      const value = values[i]!;
      if (value === value) counts[rows[i]!]! += 1;
    }
  }

  merge(into: number, from: CountTable, row: number): void {
    this.#counts[into]! += from.#counts[row]!;
  }

  subtract(into: number, from: CountTable, row: number): void {
    this.#counts[into]! -= from.#counts[row]!;
  }

  clear(row: number): void {
    this.#counts[row] = 0;
  }

  mergeAll(into: Int32Array, from: CountTable, rows: Int32Array, length: number): void {
    const counts = this.#counts;
    const added = from.#counts;
    for (let i = 0; i < length; i++) counts[into[i]!]! += added[rows[i]!]!;
  }

  clearAll(rows: Int32Array, length: number): void {
    const counts = this.#counts;
    for (let i = 0; i < length; i++) counts[rows[i]!] = 0;
  }

  state(row: number): number {
    return this.#counts[row]!;
  }

  load(row: number, state: number): void {
    this.#counts[row] = state;
  }

  result(row: number): number {
    return this.#counts[row]!;
  }
}
