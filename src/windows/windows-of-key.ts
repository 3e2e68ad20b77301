/**
 * Puts windows of one key together that overlap, with some merges a slice and window, however many slices a window has.
 *
 * All windows that hold the place where the first one ends are a part that ends there, and a part that begins there. The
 * former grow from that place backwards, the latter forwards, a slice at a time. (van Herk, 1992; Gil and Werman, 1993:
 * running minima in three comparisons an element, whatever the window.)
 */
import { SCRAP_ROW } from './row-table.ts';
import type { SliceStore } from './slice-store.ts';
import type { SlicedWindow } from './sliced-window.ts';

/** Told of each window; its state is in the scratch row of the window's `scratch`. */
export type TakeWindow = (start: number, revision: number) => void;

/** `starts` rise. None of the windows' slices is cold. */
export function putTogether(
  store: SliceStore,
  window: SlicedWindow,
  key: number,
  starts: readonly number[],
  take: TakeWindow,
): void {
  const { length } = window.run;
  for (let from = 0; from < starts.length;) {
    const middle = starts[from]! + length;
    let to = from + 1;
    while (to < starts.length && starts[to]! < middle) to++;
    if (to === from + 1) putOneTogether(store, window, key, starts[from]!, take);
    else putAround(store, window, key, starts.slice(from, to), take);
    from = to;
  }
}

function putOneTogether(
  store: SliceStore,
  { scratch, table, run }: SlicedWindow,
  key: number,
  start: number,
  take: TakeWindow,
): void {
  scratch.clear(SCRAP_ROW);
  for (let index = start; index < start + run.length; index++) {
    const row = store.find(index)?.row(key) ?? 0;
    if (row !== 0) scratch.mergeOne(SCRAP_ROW, store.table, table, row);
  }
  take(start, scratch.revisions[SCRAP_ROW]!);
}

/** The windows that hold the place where the first one ends. */
function putAround(
  store: SliceStore,
  window: SlicedWindow,
  key: number,
  starts: readonly number[],
  take: TakeWindow,
): void {
  const { scratch, table, run } = window;
  let at = starts[0]! + run.length;
  const before = rowsBefore(store, window, key, starts, at);
  const behind = scratch.allocate();
  for (const [i, start] of starts.entries()) {
    for (; at < start + run.length; at++) {
      const row = store.find(at)?.row(key) ?? 0;
      if (row !== 0) scratch.mergeOne(behind, store.table, table, row);
    }
    scratch.clear(SCRAP_ROW);
    if (before[i] !== 0) scratch.merge(SCRAP_ROW, scratch, before[i]!);
    scratch.merge(SCRAP_ROW, scratch, behind);
    take(start, scratch.revisions[SCRAP_ROW]!);
  }
  scratch.free(behind);
  for (const row of new Set(before)) if (row !== 0) scratch.free(row);
}

/** For each start, the row of what lies between it and the middle; 0 where there is nothing. */
function rowsBefore(
  store: SliceStore,
  { scratch, table }: SlicedWindow,
  key: number,
  starts: readonly number[],
  middle: number,
): readonly number[] {
  const rows = starts.map(() => 0);
  let next = starts.length - 1;
  let sum = 0;
  let isKept = true;
  for (let index = middle - 1; index >= starts[0]!; index--) {
    const row = store.find(index)?.row(key) ?? 0;
    if (row !== 0) {
      // A new row, for a part is merged behind what comes before it.
      const larger = scratch.allocate();
      scratch.mergeOne(larger, store.table, table, row);
      if (sum !== 0) scratch.merge(larger, scratch, sum);
      if (!isKept) scratch.free(sum);
      sum = larger;
      isKept = false;
    }
    if (index !== starts[next]) continue;
    rows[next--] = sum;
    isKept = true;
  }
  return rows;
}
