/**
 * A sliding window over slices, for all keys at once, with some three merges a slice and key however long the window is:
 * two stacks, of which the front one holds what the slices from each on come to, and the back one what has come since.
 * Nothing need be taken out of a state, so that it serves every aggregation that merges.
 * (Tangwongsan, Hirzel, Schneider: Low-latency sliding-window aggregation in worst-case constant time, DEBS 2017.)
 *
 * A step is done for all of its keys before the next one begins, so that each is one loop over columns.
 */
import { grown, type KeyIds } from './key-ids.ts';
import type { AnyAggregation } from './operator-options.ts';
import { RowTable } from './row-table.ts';
import type { Slice } from './slice.ts';

type SliceOf = (index: number) => Slice | undefined;

/** One slice of the front: its keys, and their rows. */
interface FrontSlice {
  index: number;
  keys: Int32Array<ArrayBuffer>;
  rows: Int32Array<ArrayBuffer>;
  size: number;
}

const NONE = new Int32Array(0);

export class SlidingStacks {
  /** The keys of the window, `size` of them in any order, and the rows of `window` that hold what they come to. */
  keys = new Int32Array(64);
  rows = new Int32Array(64);
  size = 0;
  readonly window: RowTable;
  readonly #ids: KeyIds;
  readonly #from: RowTable;
  readonly #table: number;
  readonly #front: RowTable;
  readonly #back: RowTable;
  /** The front's slices, from the last one back to the first. */
  readonly #slices: FrontSlice[] = [];
  /** Those that were taken off last, whose arrays the next ones take over. */
  #spare: FrontSlice[] = [];
  /** Of each key: its front row of the earliest slice, its back row, and where it stands among `keys`. */
  #top = new Int32Array(64);
  #behind = new Int32Array(64);
  #place = new Int32Array(64);
  /** Of each front row: the key's front row of the next slice. */
  #next = new Int32Array(64);
  #columns: [Int32Array<ArrayBuffer>, Int32Array<ArrayBuffer>] = [NONE, NONE];
  /** The window's end: all slices before it are in. */
  #end = -Infinity;

  constructor(ids: KeyIds, from: RowTable, table: number, aggregation: AnyAggregation) {
    this.#ids = ids;
    this.#from = from;
    this.#table = table;
    this.#front = new RowTable([aggregation]);
    this.#back = new RowTable([aggregation]);
    this.window = new RowTable([aggregation]);
  }

  /** Rows that it holds from one window to the next. */
  get held(): number {
    return this.#front.size + this.#back.size;
  }

  /** Slices before it are in: who changes one of them has it `reset`. */
  get end(): number {
    return this.#end;
  }

  /** Moves on to the window of these slices, whose starts and ends only rise. Its rows stand until `clear`. */
  slide(start: number, end: number, sliceOf: SliceOf): void {
    this.#room();
    while (this.#slices.length > 0 && this.#slices.at(-1)!.index < start) this.#pop();
    if (this.#slices.length === 0) this.#flip(start, end, sliceOf);
    else for (let index = this.#end; index < end; index++) this.#push(sliceOf(index));
    this.#end = end;
    this.#putTogether();
  }

  /** Forgets the window's rows, not what the next one is made of. */
  clear(): void {
    this.window.freeAll(this.rows, this.size);
  }

  /** Forgets everything: the next window is put together anew. */
  reset(): void {
    if (this.#end === -Infinity) return;
    while (this.#slices.length > 0) this.#pop();
    this.#clearBack();
    this.#end = -Infinity;
  }

  /** Row 0, which a key has that is in the one stack alone, holds nothing. */
  #putTogether(): void {
    const { keys, size, window } = this;
    const [tops, behinds] = this.#columnsOf(size);
    for (let i = 0; i < size; i++) {
      tops[i] = this.#top[keys[i]!]!;
      behinds[i] = this.#behind[keys[i]!]!;
    }
    window.allocateAll(this.rows, size);
    window.mergeAllOfOne(this.rows, this.#front, 0, tops, size);
    window.mergeAllOfOne(this.rows, this.#back, 0, behinds, size);
  }

  #flip(start: number, end: number, sliceOf: SliceOf): void {
    this.#clearBack();
    for (let index = end - 1; index >= start; index--) {
      const slice = sliceOf(index);
      if (slice !== undefined) this.#pushFront(slice);
    }
    // So that the front is not taken for exhausted while the window's first slices are empty.
    if (this.#slices.length > 0 && this.#slices.at(-1)!.index > start)
      this.#slices.push({ index: start, keys: NONE, rows: NONE, size: 0 });
    this.#spare = [];
  }

  #pushFront({ index, keys: all, rows: from, size }: Slice): void {
    const front = this.#front;
    const slice = this.#spare.pop() ?? { index, keys: NONE, rows: NONE, size };
    if (slice.keys.length < size) {
      slice.keys = new Int32Array(all.length);
      slice.rows = new Int32Array(all.length);
    }
    slice.index = index;
    slice.size = size;
    const { keys, rows } = slice;
    for (let i = 0; i < size; i++) keys[i] = all[i]!;
    const [tops] = this.#columnsOf(size);
    front.allocateAll(rows, size);
    if (front.capacity > this.#next.length) this.#next = grown(this.#next, front.capacity);
    for (let i = 0; i < size; i++) {
      const top = this.#top[keys[i]!]!;
      if (top === 0) this.#activate(keys[i]!);
      tops[i] = top;
      this.#next[rows[i]!] = top;
      this.#top[keys[i]!] = rows[i]!;
    }
    front.mergeAllOfOne(rows, this.#from, this.#table, from, size);
    front.mergeAllOfOne(rows, front, 0, tops, size);
    this.#slices.push(slice);
  }

  #pop(): void {
    const slice = this.#slices.pop()!;
    const { keys, rows, size } = slice;
    for (let i = 0; i < size; i++) {
      const next = this.#next[rows[i]!]!;
      this.#top[keys[i]!] = next;
      if (next === 0) this.#deactivate(keys[i]!);
    }
    this.#front.freeAll(rows, size);
    if (size > 0) this.#spare.push(slice);
  }

  #push(slice: Slice | undefined): void {
    if (slice === undefined) return;
    const { keys, rows, size } = slice;
    const [into] = this.#columnsOf(size);
    for (let i = 0; i < size; i++) {
      const key = keys[i]!;
      let row = this.#behind[key]!;
      if (row === 0) {
        if (this.#top[key] === 0) this.#activate(key);
        this.#behind[key] = row = this.#back.allocate();
      }
      into[i] = row;
    }
    this.#back.mergeAllOfOne(into, this.#from, this.#table, rows, size);
  }

  #clearBack(): void {
    const [rows] = this.#columnsOf(this.size);
    let cleared = 0;
    for (let i = this.size - 1; i >= 0; i--) {
      const key = this.keys[i]!;
      const row = this.#behind[key]!;
      if (row === 0) continue;
      rows[cleared++] = row;
      this.#behind[key] = 0;
      if (this.#top[key] === 0) this.#deactivate(key);
    }
    this.#back.freeAll(rows, cleared);
  }

  #activate(key: number): void {
    // Held, so that the key's number is nobody else's as long as it stands here.
    this.#ids.hold(key);
    this.#place[key] = this.size;
    this.keys[this.size++] = key;
  }

  #deactivate(key: number): void {
    if (this.#behind[key] !== 0) return;
    const place = this.#place[key]!;
    const last = this.keys[--this.size]!;
    this.keys[place] = last;
    this.#place[last] = place;
    this.#ids.release(key);
  }

  #columnsOf(size: number): readonly [Int32Array, Int32Array] {
    const [column] = this.#columns;
    if (column.length < size) this.#columns = [grown(column, size), grown(column, size)];
    return this.#columns;
  }

  #room(): void {
    const { capacity } = this.#ids;
    if (capacity <= this.#top.length) return;
    this.#top = grown(this.#top, capacity);
    this.#behind = grown(this.#behind, capacity);
    this.#place = grown(this.#place, capacity);
    this.keys = grown(this.keys, capacity);
    this.rows = grown(this.rows, capacity);
  }
}
