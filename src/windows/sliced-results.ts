/** Hands on the results of windows that are runs of slices: put together when they end, change, or are due. */
import { grown } from './key-ids.ts';
import { SCRAP_ROW, type RowTable } from './row-table.ts';
import type { Slice } from './slice.ts';
import type { SliceStore } from './slice-store.ts';
import type { SlicedWindow } from './sliced-window.ts';
import type { Emitted, Output } from './window-plan.ts';
import type { WindowUpdate } from './window-update.ts';
import { putTogether } from './windows-of-key.ts';

/** Rows that hold a window's states, each of one key. */
interface Rows {
  readonly keys: Int32Array;
  readonly rows: Int32Array;
  readonly size: number;
  readonly table: RowTable;
  /** The place of the window's aggregation in the table. */
  readonly place: number;
}

export class SlicedResults {
  readonly #store: SliceStore;
  readonly #sliceOf: (index: number) => Slice | undefined;
  /** For windows of few slices: the scratch row of each key, and the keys that have one. */
  #rowOf = new Int32Array(64);
  #merged = new Int32Array(64);
  #column = new Int32Array(64);

  constructor(store: SliceStore) {
    this.#store = store;
    this.#sliceOf = (index) => store.whole(index);
  }

  /** Hands on the windows that end behind one cut and up to another. */
  complete(window: SlicedWindow, before: number, cut: number, output: Output): void {
    const { length, step } = window.run;
    const { order } = this.#store;
    if (order.length === 0) return;
    let start = window.firstOf(Math.max(before, order[0]!));
    while (start + length <= cut) {
      const next = order[this.#store.place(start)];
      if (next === undefined) return;
      // Windows without events are passed over, however many there are.
      if (next < start + length) this.#completeOne(window, start, output);
      else start = Math.max(start, window.firstOf(next) - step);
      start += step;
    }
  }

  /** Hands on the complete windows that late events have changed. */
  late(window: SlicedWindow, output: Output): void {
    const updates: WindowUpdate[] = [];
    for (const [key, befores] of window.late.groups()) {
      putTogether(this.#store, window, key, inOrder(befores.keys()), (start, revision) => {
        const before = befores.get(start);
        // As it was: the event that came was refused.
        if (revision === (before?.revision ?? 0)) return;
        updates.push(this.#update(window, start, key, true, before));
      });
    }
    window.late.clear();
    push(updates, output);
  }

  /** Hands on what has changed of windows that are open, where it is enough. */
  early(window: SlicedWindow, output: Output): void {
    const { changed, emitted } = window.beyond;
    const updates: WindowUpdate[] = [];
    const byKey = new Map<number, number[]>();
    for (const [start, key] of changed) {
      const starts = byKey.get(key);
      if (starts === undefined) byKey.set(key, [start]);
      else starts.push(start);
    }
    for (const [key, starts] of byKey) {
      putTogether(this.#store, window, key, inOrder(starts), (start, revision) => {
        const before = emitted.get(start, key);
        if (revision === (before?.revision ?? 0)) return changed.delete(start, key);
        if (!window.isEnough(revision, before)) return;
        updates.push(this.#update(window, start, key, false, before));
        if (window.remembers) emitted.set(start, key, window.emitted(window.scratch, SCRAP_ROW));
        changed.delete(start, key);
      });
    }
    push(updates, output);
  }

  /** The update of what was put together last. */
  #update(
    window: SlicedWindow,
    start: number,
    key: number,
    complete: boolean,
    before: Emitted | undefined,
  ): WindowUpdate {
    const { tables, revisions } = window.scratch;
    const value = tables[0]!.result(SCRAP_ROW);
    const name = this.#store.keys.name(key);
    return window.update(window.boundsOf(start), name, revisions[SCRAP_ROW]!, value, complete, before);
  }

  #completeOne(window: SlicedWindow, start: number, output: Output): void {
    const { stacks, run } = window;
    if (stacks !== undefined) {
      stacks.slide(start, start + run.length, this.#sliceOf);
      const { keys, rows, size, window: table } = stacks;
      this.#emit(window, start, { keys, rows, size, table, place: 0 }, output);
      stacks.clear();
    } else if (run.length === 1) {
      const { keys, rows, size } = this.#store.whole(start)!;
      const { table } = this.#store;
      this.#emit(window, start, { keys, rows, size, table, place: window.table }, output);
    } else this.#mergeAll(window, start, output);
    window.beyond.close(start);
  }

  #emit(
    window: SlicedWindow,
    start: number,
    { keys, rows, size, table: { tables, revisions }, place }: Rows,
    { updates }: Output,
  ): void {
    const bounds = window.boundsOf(start);
    const table = tables[place]!;
    const names = this.#store.keys;
    const emitted = window.remembers ? window.beyond.emitted : undefined;
    for (let i = 0; i < size; i++) {
      const row = rows[i]!;
      const revision = revisions[row]!;
      if (revision === 0) continue;
      const value = table.result(row);
      const before = emitted === undefined ? undefined : emitted.get(start, keys[i]!);
      updates.push(window.update(bounds, names.name(keys[i]!), revision, value, true, before));
    }
  }

  /** Slice by slice, into a scratch row for each key. */
  #mergeAll(window: SlicedWindow, start: number, output: Output): void {
    const { order, table: from, keys: ids } = this.#store;
    const { scratch, run } = window;
    if (this.#rowOf.length < ids.capacity) {
      this.#rowOf = grown(this.#rowOf, ids.capacity);
      this.#merged = grown(this.#merged, ids.capacity);
      this.#column = grown(this.#column, ids.capacity);
    }
    const rowOf = this.#rowOf;
    const keys = this.#merged;
    const into = this.#column;
    let merged = 0;
    for (let at = this.#store.place(start); at < order.length; at++) {
      const slice = this.#store.whole(order[at]!)!;
      if (slice.index >= start + run.length) break;
      for (let i = 0; i < slice.size; i++) {
        const key = slice.keys[i]!;
        if (rowOf[key] === 0) {
          rowOf[key] = scratch.allocate();
          keys[merged++] = key;
        }
        into[i] = rowOf[key]!;
      }
      scratch.mergeAllOfOne(into, from, window.table, slice.rows, slice.size);
    }
    for (let i = 0; i < merged; i++) {
      into[i] = rowOf[keys[i]!]!;
      rowOf[keys[i]!] = 0;
    }
    this.#emit(window, start, { keys, rows: into, size: merged, table: scratch, place: 0 }, output);
    scratch.freeAll(into, merged);
  }
}

function inOrder(starts: Iterable<number>): number[] {
  return [...starts].toSorted((a, b) => a - b);
}

/** The oldest window first. */
function push(updates: WindowUpdate[], output: Output): void {
  updates.sort((a, b) => a.window.start - b.window.start);
  for (const update of updates) output.updates.push(update);
}
