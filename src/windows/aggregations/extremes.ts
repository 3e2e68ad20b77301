/** The least and the greatest number of a field. */
import type { Aggregation, EventBatch, StateTable } from '../aggregation.ts';
import { grown } from './cells.ts';
import { numberInput, type Field } from './field.ts';

/**
 * The least of the numbers; null where there are none.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function min(field: Field): Aggregation<number | null, number | null> {
  return extreme(
    field,
    (left, right) => (right < left ? right : left),
    () => new MinTable(),
  );
}

/**
 * The greatest of the numbers; null where there are none.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function max(field: Field): Aggregation<number | null, number | null> {
  return extreme(
    field,
    (left, right) => (right > left ? right : left),
    () => new MaxTable(),
  );
}

function extreme(
  field: Field,
  choose: (left: number, right: number) => number,
  table: () => StateTable<number | null, number | null>,
): Aggregation<number | null, number | null> {
  const input = numberInput(field);
  const merge = (left: number | null, right: number | null): number | null =>
    left === null || right === null ? (left ?? right) : choose(left, right);
  return {
    inputs: [input],
    initial: () => null,
    add(state, event) {
      const value = input.read(event);
      return Number.isNaN(value) ? state : merge(state, value);
    },
    merge,
    result: (state) => state,
    table,
  };
}

/** A row of no numbers holds the infinity that every number is chosen over. */
abstract class ExtremeTable implements StateTable<number | null, number | null> {
  readonly fallible = false;
  protected readonly none: number;
  protected cells = new Float64Array(0);

  constructor(none: number) {
    this.none = none;
  }

  abstract addAll(rows: Int32Array, batch: EventBatch): void;
  abstract merge(into: number, from: ExtremeTable, row: number): void;
  abstract mergeAll(into: Int32Array, from: ExtremeTable, rows: Int32Array, length: number): void;

  grow(rows: number): void {
    this.cells = grown(this.cells, rows, this.none);
  }

  clear(row: number): void {
    this.cells[row] = this.none;
  }

  clearAll(rows: Int32Array, length: number): void {
    const { cells, none } = this;
    for (let i = 0; i < length; i++) cells[rows[i]!] = none;
  }

  state(row: number): number | null {
    const cell = this.cells[row]!;
    return cell === this.none ? null : cell;
  }

  load(row: number, state: number | null): void {
    this.cells[row] = state ?? this.none;
  }

  result(row: number): number | null {
    return this.state(row);
  }
}

// Twice the same loop: one that is told which way to compare costs the hot path a branch.
class MinTable extends ExtremeTable {
  constructor() {
    super(Number.POSITIVE_INFINITY);
  }

  addAll(rows: Int32Array, { length, numbers }: EventBatch): void {
    const cells = this.cells;
    const values = numbers[0]!;
    for (let i = 0; i < length; i++) {
      const row = rows[i]!;
      if (values[i]! < cells[row]!) cells[row] = values[i]!;
    }
  }

  merge(into: number, from: MinTable, row: number): void {
    if (from.cells[row]! < this.cells[into]!) this.cells[into] = from.cells[row]!;
  }

  mergeAll(into: Int32Array, { cells: others }: MinTable, rows: Int32Array, length: number): void {
    const cells = this.cells;
    for (let i = 0; i < length; i++) {
      const other = others[rows[i]!]!;
      if (other < cells[into[i]!]!) cells[into[i]!] = other;
    }
  }
}

class MaxTable extends ExtremeTable {
  constructor() {
    super(Number.NEGATIVE_INFINITY);
  }

  addAll(rows: Int32Array, { length, numbers }: EventBatch): void {
    const cells = this.cells;
    const values = numbers[0]!;
    for (let i = 0; i < length; i++) {
      const row = rows[i]!;
      if (values[i]! > cells[row]!) cells[row] = values[i]!;
    }
  }

  merge(into: number, from: MaxTable, row: number): void {
    if (from.cells[row]! > this.cells[into]!) this.cells[into] = from.cells[row]!;
  }

  mergeAll(into: Int32Array, { cells: others }: MaxTable, rows: Int32Array, length: number): void {
    const cells = this.cells;
    for (let i = 0; i < length; i++) {
      const other = others[rows[i]!]!;
      if (other > cells[into[i]!]!) cells[into[i]!] = other;
    }
  }
}
