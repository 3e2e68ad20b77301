/** A family's slices in memory, and their rows: found by index at once, and gone through in order. */
import type { JsonValue } from '../storage/storage.ts';
import type { ColdSlices } from './cold-slices.ts';
import type { KeyIds } from './key-ids.ts';
import type { RowTable } from './row-table.ts';
import { Slice } from './slice.ts';
import type { Slicer } from './slicer.ts';

/** So many slices that were let go lend their arrays to new ones. */
const MOST_SPARE = 2;
/** Slices that were used last are found by the last digits of their index. */
export const RECENT = 64;

export interface SliceStoreOptions {
  readonly slicer: Slicer;
  readonly keys: KeyIds;
  readonly table: RowTable;
  readonly cold: ColdSlices | undefined;
}

export class SliceStore {
  readonly slicer: Slicer;
  readonly keys: KeyIds;
  readonly table: RowTable;
  readonly recent: (Slice | undefined)[] = Array.from({ length: RECENT }, () => undefined);
  readonly #cold: ColdSlices | undefined;
  /** Those that are whole, and their indexes in order. */
  readonly #slices = new Map<number, Slice>();
  #order: number[] = [];
  readonly #spare: Slice[] = [];

  constructor({ slicer, keys, table, cold }: SliceStoreOptions) {
    this.slicer = slicer;
    this.keys = keys;
    this.table = table;
    this.#cold = cold;
  }

  /** The indexes of the whole slices, in order. */
  get order(): readonly number[] {
    return this.#order;
  }

  /** The slice that the time belongs to, made where there is none. */
  at(time: number): Slice {
    const index = this.slicer.indexOf(time);
    const recent = this.recent[index & (RECENT - 1)];
    if (recent !== undefined && recent.index === index) return recent;
    const slice = this.find(index) ?? this.make(index);
    this.recent[index & (RECENT - 1)] = slice;
    return slice;
  }

  /** Whole, or as much of it as was read back. */
  find(index: number): Slice | undefined {
    return this.#slices.get(index) ?? this.#cold?.thawed(index);
  }

  whole(index: number): Slice | undefined {
    return this.#slices.get(index);
  }

  wholes(): Iterable<Slice> {
    return this.#slices.values();
  }

  /** Makes a slice that is whole. */
  make(index: number): Slice {
    const slice = this.open(index);
    this.#slices.set(index, slice);
    const { length } = this.#order;
    if (length === 0 || this.#order[length - 1]! < index) this.#order.push(index);
    else this.#order.splice(this.place(index), 0, index);
    return slice;
  }

  /** A slice that stands nowhere yet. */
  open(index: number): Slice {
    const { slicer } = this;
    return new Slice(index, slicer.startOf(index), slicer.startOf(index + 1), this.#spare.pop());
  }

  /** Where the index stands in the order, or would. */
  place(index: number): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#order[middle]! < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  addRow(slice: Slice, key: number): number {
    const row = this.table.allocate();
    slice.add(key, row);
    this.keys.hold(key);
    return row;
  }

  load(slice: Slice, name: string, states: JsonValue, revision: number): void {
    const row = this.addRow(slice, this.keys.of(name));
    this.table.load(row, states as readonly JsonValue[], revision);
  }

  /** What is in memory is in the storage as it is. */
  saved(): void {
    for (const slice of this.#slices.values()) {
      for (let i = 0; i < slice.size; i++) this.table.saved(slice.rows[i]!);
    }
  }

  /** Lets slices go from the first on, as long as they are over. */
  forget(isOver: (index: number) => boolean): void {
    let over = 0;
    while (over < this.#order.length && isOver(this.#order[over]!)) {
      const slice = this.#slices.get(this.#order[over]!)!;
      this.#slices.delete(slice.index);
      this.release(slice);
      over++;
    }
    if (over > 0) this.#order = this.#order.slice(over);
  }

  /** Lets go of the slice, and of what it holds. */
  release(slice: Slice): void {
    const { index, keys, rows, size } = slice;
    this.recent[index & (RECENT - 1)] = undefined;
    this.table.freeAll(rows, size);
    for (let i = 0; i < size; i++) this.keys.release(keys[i]!);
    if (this.#spare.length < MOST_SPARE) this.#spare.push(slice);
  }
}
