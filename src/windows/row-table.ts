/** States of windows in rows: each aggregation's in a table of its own, under one row number. */
import type { JsonValue } from '../storage/storage.ts';
import type { EventBatch, StateTable } from './aggregation.ts';
import { openTable } from './aggregations/accumulators.ts';
import { clearRows, mergeRows } from './aggregations/table-rows.ts';
import type { Chunk } from './chunk.ts';
import { grown } from './key-ids.ts';
import type { AnyAggregation } from './operator-options.ts';

export type AnyTable = StateTable<JsonValue, unknown>;

/** Row 0 belongs to nobody: what must not count is folded there, and forgotten. */
export const SCRAP_ROW = 0;

export class RowTable {
  readonly tables: readonly AnyTable[];
  /** How many events are in a row. */
  revisions = new Int32Array(64);
  /** What of that is stored. Empty as long as nothing is. */
  #saved = new Int32Array(0);
  /** Rows that were let go, `#freed` of them. */
  #free = new Int32Array(64);
  #freed = 0;
  #next = 1;

  constructor(aggregations: readonly AnyAggregation[]) {
    this.tables = aggregations.map((aggregation) => openTable(aggregation));
    this.#grow(64);
  }

  /** Rows that are in use. */
  get size(): number {
    return this.#next - 1 - this.#freed;
  }

  /** All rows are below it. */
  get capacity(): number {
    return this.revisions.length;
  }

  allocate(): number {
    if (this.#freed > 0) return this.#free[--this.#freed]!;
    const row = this.#next++;
    if (row >= this.revisions.length) this.#grow(row + 1);
    return row;
  }

  free(row: number): void {
    this.clear(row);
    if (this.#freed === this.#free.length) this.#free = grown(this.#free, this.#freed + 1);
    this.#free[this.#freed++] = row;
  }

  /** As `allocate`, so many at once. */
  allocateAll(rows: Int32Array, length: number): void {
    const used = Math.min(length, this.#freed);
    this.#freed -= used;
    rows.set(this.#free.subarray(this.#freed, this.#freed + used));
    for (let i = used; i < length; i++) rows[i] = this.#next++;
    if (this.#next > this.revisions.length) this.#grow(this.#next);
  }

  /** As `free` of each. */
  freeAll(rows: Int32Array, length: number): void {
    this.clearAll(rows, length);
    const freed = this.#freed + length;
    if (freed > this.#free.length) this.#free = grown(this.#free, freed);
    this.#free.set(rows.subarray(0, length), this.#freed);
    this.#freed = freed;
  }

  clearAll(rows: Int32Array, length: number): void {
    for (const table of this.tables) clearRows(table, rows, length);
    const revisions = this.revisions;
    for (let i = 0; i < length; i++) revisions[rows[i]!] = 0;
    const saved = this.#saved;
    if (saved.length > 0) for (let i = 0; i < length; i++) saved[rows[i]!] = 0;
  }

  clear(row: number): void {
    for (const table of this.tables) table.clear(row);
    this.revisions[row] = 0;
    if (row < this.#saved.length) this.#saved[row] = 0;
  }

  /** Whether the row is not stored as it is. */
  isChanged(row: number): boolean {
    return this.revisions[row] !== (this.#saved[row] ?? 0);
  }

  /** The row is stored as it is now. */
  saved(row: number): void {
    if (row >= this.#saved.length) this.#saved = grown(this.#saved, this.revisions.length);
    this.#saved[row] = this.revisions[row]!;
  }

  /** Folds the chunk's event i into row `rows[i]`; `batches` has what each table needs of the events. */
  addAll(chunk: Chunk, batches: readonly EventBatch[]): void {
    const { tables, revisions } = this;
    const { rows, length, refused } = chunk;
    refused.clear();
    for (let i = 0; i < tables.length; i++) tables[i]!.addAll(rows, batches[i]!);
    for (let i = 0; i < length; i++) revisions[rows[i]!]!++;
    for (const i of refused) revisions[rows[i]!]!--;
    if (revisions[SCRAP_ROW] !== 0) this.clear(SCRAP_ROW);
  }

  /** Adds a row's events of all tables. `from` has the same aggregations. */
  merge(into: number, from: RowTable, row: number): void {
    for (let i = 0; i < this.tables.length; i++) this.tables[i]!.merge(into, from.tables[i]!, row);
    this.revisions[into]! += from.revisions[row]!;
  }

  /** Adds a row's events of one of the tables of `from` to the one table that this has. */
  mergeOne(into: number, from: RowTable, table: number, row: number): void {
    this.tables[0]!.merge(into, from.tables[table]!, row);
    this.revisions[into]! += from.revisions[row]!;
  }

  /** As `mergeOne` of row `rows[i]` into row `into[i]`, for every i below `length`. */
  mergeAllOfOne(
    into: Int32Array,
    from: RowTable,
    table: number,
    rows: Int32Array,
    length: number,
  ): void {
    mergeRows(this.tables[0]!, into, from.tables[table]!, rows, length);
    const revisions = this.revisions;
    const added = from.revisions;
    for (let i = 0; i < length; i++) revisions[into[i]!]! += added[rows[i]!]!;
  }

  states(row: number): JsonValue[] {
    return this.tables.map((table) => table.state(row));
  }

  load(row: number, states: readonly JsonValue[], revision: number): void {
    for (const [i, table] of this.tables.entries()) table.load(row, states[i]!);
    this.revisions[row] = revision;
    this.saved(row);
  }

  #grow(rows: number): void {
    if (rows > this.revisions.length) this.revisions = grown(this.revisions, rows);
    for (const table of this.tables) table.grow(this.revisions.length);
  }
}
