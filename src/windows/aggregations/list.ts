/** Several aggregations side by side. */
import type { Event } from '../../event/event.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { Accumulator, Aggregation, EventBatch, NumberInput, StateTable } from '../aggregation.ts';
import { AccumulatorTable, openAccumulator } from './accumulators.ts';
import { clearRows, mergeRows } from './table-rows.ts';

type Part = Aggregation<JsonValue, unknown>;
/** A state, or a result, of each part, in their order. */
export type States = readonly JsonValue[];
type Results = readonly unknown[];

/** All of them over the same events. An event that one of them cannot take is taken by none. */
export function listOf(parts: readonly Part[]): Aggregation<States, Results> & { table(): ListTable } {
  const inputs = distinctInputs(parts);
  const subtractable = parts.every((part) => part.subtract !== undefined);
  return {
    inputs,
    initial: () => parts.map((part) => part.initial()),
    add: (states, event) => parts.map((part, i) => part.add(states[i]!, event)),
    merge: (left, right) => parts.map((part, i) => part.merge(left[i]!, right[i]!)),
    result: (states) => parts.map((part, i) => part.result(states[i]!)),
    ...(subtractable && {
      subtract: (states, taken) => parts.map((part, i) => part.subtract!(states[i]!, taken[i]!)),
    }),
    accumulator: () => new ListAccumulator(parts.map((part) => openAccumulator(part))),
    table: () => new ListTable(parts, inputs),
  };
}

/** Parts that read the same field share what was read. */
function distinctInputs(parts: readonly Part[]): readonly NumberInput[] {
  const inputs = parts.flatMap((part) => part.inputs ?? []);
  return [...new Map(inputs.map((input) => [input.field, input])).values()];
}

class ListAccumulator implements Accumulator<States, Results> {
  readonly #parts: readonly Accumulator<JsonValue, unknown>[];

  constructor(parts: readonly Accumulator<JsonValue, unknown>[]) {
    this.#parts = parts;
  }

  read(event: Event): readonly unknown[] {
    return this.#parts.map((part) => part.read(event));
  }

  fold(read: readonly unknown[]): void {
    for (let i = 0; i < this.#parts.length; i++) this.#parts[i]!.fold(read[i]);
  }

  merge(from: ListAccumulator): void {
    for (const [i, part] of this.#parts.entries()) part.merge(from.#parts[i]!);
  }

  state(): States {
    return this.#parts.map((part) => part.state());
  }

  load(states: States): void {
    for (const [i, part] of this.#parts.entries()) part.load(states[i]!);
  }

  result(): Results {
    return this.#parts.map((part) => part.result());
  }
}

/** A part's table, and which of the list's inputs it takes. */
interface Column {
  readonly part: number;
  readonly table: StateTable<JsonValue, unknown>;
  readonly inputs: readonly number[];
}

/**
 * A table for each part whose table cannot fail. The others are one row of accumulators, and go first: what one of them
 * refuses is left out everywhere.
 */
export class ListTable implements StateTable<States, Results> {
  readonly fallible: boolean;
  readonly #columns: readonly Column[];
  readonly #others: StateTable<States, Results> | undefined;
  /** The parts that `#others` holds. */
  readonly #otherParts: readonly number[];
  readonly #size: number;
  readonly subtract?: (into: number, from: ListTable, row: number) => void;

  constructor(parts: readonly Part[], inputs: readonly NumberInput[]) {
    const at = (part: Part) =>
      (part.inputs ?? []).map(({ field }) => inputs.findIndex((input) => input.field === field));
    const columns = parts.flatMap((part, i) => {
      const table = part.table?.();
      return table === undefined || table.fallible ? [] : [{ part: i, table, inputs: at(part) }];
    });
    const others = [...parts.keys()].filter((i) => !columns.some(({ part }) => part === i));
    this.#size = parts.length;
    this.#columns = columns;
    this.#otherParts = others;
    this.fallible = others.length > 0;
    this.#others = this.fallible
      ? new AccumulatorTable(listOf(others.map((i) => parts[i]!)))
      : undefined;
    if (parts.every((part) => part.subtract !== undefined))
      this.subtract = (into, from, row) => this.#subtract(into, from, row);
  }

  grow(rows: number): void {
    this.#others?.grow(rows);
    for (const { table } of this.#columns) table.grow(rows);
  }

  addAll(rows: Int32Array, batch: EventBatch): void {
    const refused = this.#addToOthers(rows, batch);
    if (refused.size === 0) this.#addToColumns(rows, batch);
    else this.#addToColumns(...without(refused, rows, batch));
  }

  merge(into: number, from: ListTable, row: number): void {
    this.#others?.merge(into, from.#others!, row);
    // No iterator: it is called for each row of each slice of a sliding window.
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i++) columns[i]!.table.merge(into, from.#columns[i]!.table, row);
  }

  clear(row: number): void {
    this.#others?.clear(row);
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i++) columns[i]!.table.clear(row);
  }

  mergeAll(into: Int32Array, from: ListTable, rows: Int32Array, length: number): void {
    if (this.#others !== undefined) mergeRows(this.#others, into, from.#others!, rows, length);
    for (const [i, { table }] of this.#columns.entries())
      mergeRows(table, into, from.#columns[i]!.table, rows, length);
  }

  clearAll(rows: Int32Array, length: number): void {
    if (this.#others !== undefined) clearRows(this.#others, rows, length);
    for (const { table } of this.#columns) clearRows(table, rows, length);
  }

  state(row: number): States {
    return this.#inOrder(this.#others?.state(row), (table) => table.state(row));
  }

  load(row: number, states: States): void {
    this.#others?.load(
      row,
      this.#otherParts.map((part) => states[part]!),
    );
    for (const { table, part } of this.#columns) table.load(row, states[part]!);
  }

  result(row: number): Results {
    return this.#inOrder(this.#others?.result(row), (table) => table.result(row));
  }

  /**
   * As `result`, under names: what every result of a window is made by, hence no list in between. A copy of `shape`, which
   * has all the names, for a name that is there is quickly written, and one that is new is not.
   */
  resultNamed(
    row: number,
    names: readonly string[],
    shape: Readonly<Record<string, unknown>>,
  ): Readonly<Record<string, unknown>> {
    const named: Record<string, unknown> = { ...shape };
    if (this.#others === undefined) {
      const columns = this.#columns;
      for (let i = 0; i < columns.length; i++) named[names[i]!] = columns[i]!.table.result(row);
      return named;
    }
    const all = this.#inOrder(this.#others.result(row), (table) => table.result(row));
    for (let i = 0; i < names.length; i++) named[names[i]!] = all[i];
    return named;
  }

  #subtract(into: number, from: ListTable, row: number): void {
    this.#others?.subtract!(into, from.#others!, row);
    for (const [i, { table }] of this.#columns.entries())
      table.subtract!(into, from.#columns[i]!.table, row);
  }

  /** Which events were refused. */
  #addToOthers(rows: Int32Array, batch: EventBatch): ReadonlySet<number> {
    const refused = new Set<number>();
    const { length, events } = batch;
    const failed = (index: number, error: unknown): void => {
      refused.add(index);
      batch.failed(index, error);
    };
    this.#others?.addAll(rows, { length, events, numbers: [], failed });
    return refused;
  }

  #addToColumns(rows: Int32Array, { length, events, numbers }: EventBatch): void {
    for (const { table, inputs } of this.#columns) {
      const own = inputs.map((i) => numbers[i]!);
      table.addAll(rows, { length, events, numbers: own, failed: cannotFail });
    }
  }

  #inOrder<One>(
    others: readonly One[] | undefined,
    one: (table: StateTable<JsonValue, unknown>) => One,
  ): readonly One[] {
    const all = Array<One>(this.#size);
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i++) all[columns[i]!.part] = one(columns[i]!.table);
    const parts = this.#otherParts;
    for (let i = 0; i < parts.length; i++) all[parts[i]!] = others![i]!;
    return all;
  }
}

/** A table that is not fallible never calls it. */
function cannotFail(_index: number, error: unknown): never {
  throw error;
}

/** The batch without some of its events. */
function without(
  refused: ReadonlySet<number>,
  rows: Int32Array,
  { length, events, numbers }: EventBatch,
): [rows: Int32Array, batch: EventBatch] {
  const kept = Array.from({ length }, (_, i) => i).filter((i) => !refused.has(i));
  const batch: EventBatch = {
    length: kept.length,
    events: kept.map((i) => events[i]!),
    numbers: numbers.map((column) => Float64Array.from(kept, (i) => column[i]!)),
    failed: cannotFail,
  };
  return [Int32Array.from(kept, (i) => rows[i]!), batch];
}
