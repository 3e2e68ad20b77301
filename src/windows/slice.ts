/** One slice in memory: the rows of its keys. */
import { grown } from './key-ids.ts';

/** A slice has an index with a place for each key only if it holds a good part of them, or there are few. */
const DENSE_KEYS = 128;
const DENSE_PART = 8;

export class Slice {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** The keys that it has, and their rows, in the order in which they came: `size` of them. */
  keys: Int32Array<ArrayBuffer>;
  rows: Int32Array<ArrayBuffer>;
  size = 0;
  /** The row of each key, or 0; shorter than there are keys, or empty. */
  dense: Int32Array<ArrayBuffer>;
  #sparse: Map<number, number> | undefined;

  /** `spare`: one that nobody needs any more, whose arrays this one takes over. */
  constructor(index: number, start: number, end: number, spare?: Slice) {
    this.index = index;
    this.start = start;
    this.end = end;
    this.keys = spare?.keys ?? new Int32Array(16);
    this.rows = spare?.rows ?? new Int32Array(16);
    this.dense = spare?.dense.fill(0) ?? new Int32Array(16);
  }

  /** The key's row, or 0. */
  row(key: number): number {
    if (key < this.dense.length) return this.dense[key]!;
    return this.#sparse?.get(key) ?? 0;
  }

  /** The key must not be there yet. */
  add(key: number, row: number): void {
    if (this.size === this.keys.length) {
      this.keys = grown(this.keys, this.size + 1);
      this.rows = grown(this.rows, this.size + 1);
    }
    this.keys[this.size] = key;
    this.rows[this.size++] = row;
    if (key >= this.dense.length) this.#makeRoom(key);
    if (key < this.dense.length) this.dense[key] = row;
    else (this.#sparse ??= new Map()).set(key, row);
  }

  #makeRoom(key: number): void {
    if (key >= DENSE_KEYS && key > this.size * DENSE_PART) return;
    this.dense = grown(this.dense, key + 1);
    for (const [other, row] of this.#sparse ?? []) {
      if (other >= this.dense.length) continue;
      this.dense[other] = row;
      this.#sparse!.delete(other);
    }
  }
}
