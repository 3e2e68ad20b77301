/** Finds the row of each of a chunk's events: that of its slice and key. The hot path of windows that are runs of slices. */
import type { Chunk } from './chunk.ts';
import { SCRAP_ROW } from './row-table.ts';
import type { Slice } from './slice.ts';
import { RECENT, type SliceStore } from './slice-store.ts';
import type { SlicedWindow } from './sliced-window.ts';
import type { Slicer } from './slicer.ts';
import type { Output } from './window-plan.ts';

const NO_ROWS = new Int32Array(0);

export class SliceAssigner {
  readonly #chunk: Chunk;
  readonly #store: SliceStore;
  readonly #slicer: Slicer;

  constructor(chunk: Chunk, store: SliceStore) {
    this.#chunk = chunk;
    this.#store = store;
    this.#slicer = store.slicer;
  }

  assign(): void {
    const { uniform } = this.#slicer;
    if (uniform === undefined || this.#isOneSlice()) this.#assignRuns();
    else this.#assignUniformly(uniform.unit, uniform.origin);
  }

  /** As `assign`, with an eye on what comes too late: that goes to the side. */
  assignExactly(windows: readonly SlicedWindow[], output: Output): void {
    const { events, times, keys, rows, watermarks, length } = this.#chunk;
    const store = this.#store;
    for (let i = 0; i < length; i++) {
      const index = this.#slicer.indexOf(times[i]!);
      const watermark = watermarks[i]!;
      let taken = false;
      for (const window of windows) {
        if (!window.isOver(window.lastOf(index), watermark)) taken = true;
        else output.late.push({ event: events[i]!, name: window.name, watermark });
      }
      if (!taken) {
        rows[i] = SCRAP_ROW;
        continue;
      }
      const slice = store.at(times[i]!);
      rows[i] = slice.row(keys[i]!) || store.addRow(slice, keys[i]!);
    }
  }

  /**
   * Neighbours in time come in any order, so that a branch on "the same slice as before" would be guessed wrongly half of
   * the time: the slice is looked up for each event, without one.
   */
  #assignUniformly(unit: number, origin: number): void {
    const { times, keys, rows, length } = this.#chunk;
    const store = this.#store;
    const { recent } = store;
    for (let i = 0; i < length; i++) {
      const index = Math.floor((times[i]! - origin) / unit);
      let slice = recent[index & (RECENT - 1)];
      if (slice === undefined || slice.index !== index) slice = store.at(times[i]!);
      const key = keys[i]!;
      const { dense } = slice;
      const row = key < dense.length ? dense[key]! : slice.row(key);
      rows[i] = row === 0 ? store.addRow(slice, key) : row;
    }
  }

  /** Whether the chunk looks as if all of it were in one slice. */
  #isOneSlice(): boolean {
    const { times, length, earliest } = this.#chunk;
    const index = this.#slicer.indexOf(earliest);
    const isThere = (time: number): boolean => this.#slicer.indexOf(time) === index;
    return isThere(times[0]!) && isThere(times[length >> 1]!) && isThere(times[length - 1]!);
  }

  /** As `assignUniformly`, for events of few slices, or where it is dear to say which one a time belongs to. */
  #assignRuns(): void {
    const { times, keys, rows, length } = this.#chunk;
    const store = this.#store;
    let from = Infinity;
    let to = -Infinity;
    let slice: Slice | undefined;
    let dense = NO_ROWS;
    for (let i = 0; i < length; i++) {
      const time = times[i]!;
      if (!(time >= from && time < to)) {
        slice = store.at(time);
        from = slice.start;
        to = slice.end;
        dense = slice.dense;
      }
      const key = keys[i]!;
      let row = key < dense.length ? dense[key]! : slice!.row(key);
      if (row === 0) {
        row = store.addRow(slice!, key);
        dense = slice!.dense;
      }
      rows[i] = row;
    }
  }
}
