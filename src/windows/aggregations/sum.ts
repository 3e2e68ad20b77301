/** Sums that depend on no order: exact inside, rounded once where they are read. */
import type { Aggregation, EventBatch, StateTable } from '../aggregation.ts';
import { ExactSums } from './exact-sums.ts';
import { fromExactState, negated, plus, rounded, toExactState, type ExactState } from './exact.ts';
import { numberInput, type Field } from './field.ts';

/**
 * The sum of the numbers: the double next to the exact sum, in any order of the events; 0 where there are none, an
 * infinity where it is beyond the greatest double.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function sum(field: Field): Aggregation<ExactState, number> {
  const input = numberInput(field);
  return {
    inputs: [input],
    initial: () => 0,
    add(state, event) {
      const value = input.read(event);
      return Number.isNaN(value) ? state : added(state, value);
    },
    merge: added,
    subtract: (state, part) => toExactState(plus(fromExactState(state), negated(fromExactState(part)))),
    result: (state) => (typeof state === 'number' ? state : rounded(fromExactState(state))),
    table: () => new SumTable(),
  };
}

function added(left: ExactState, right: ExactState): ExactState {
  if (Number.isSafeInteger(left) && Number.isSafeInteger(right)) {
    const both = (left as number) + (right as number);
    if (Number.isSafeInteger(both)) return both;
  }
  return toExactState(plus(fromExactState(left), fromExactState(right)));
}

class SumTable implements StateTable<ExactState, number> {
  readonly fallible = false;
  readonly #sums = new ExactSums();

  grow(rows: number): void {
    this.#sums.grow(rows);
  }

  addAll(rows: Int32Array, { length, numbers }: EventBatch): void {
    this.#sums.addAll(rows, numbers[0]!, length);
  }

  merge(into: number, from: SumTable, row: number): void {
    this.#sums.addRow(into, from.#sums, row, 1);
  }

  subtract(into: number, from: SumTable, row: number): void {
    this.#sums.addRow(into, from.#sums, row, -1);
  }

  clear(row: number): void {
    this.#sums.clear(row);
  }

  mergeAll(into: Int32Array, from: SumTable, rows: Int32Array, length: number): void {
    for (let i = 0; i < length; i++) this.#sums.addRow(into[i]!, from.#sums, rows[i]!, 1);
  }

  clearAll(rows: Int32Array, length: number): void {
    for (let i = 0; i < length; i++) this.#sums.clear(rows[i]!);
  }

  state(row: number): ExactState {
    return this.#sums.state(row);
  }

  load(row: number, state: ExactState): void {
    this.#sums.load(row, fromExactState(state));
  }

  result(row: number): number {
    return this.#sums.sum(row);
  }
}
