/**
 * Slices in the storage: what has changed goes there with every commit, and what belongs to complete windows alone is
 * read back key by key, when a late event asks for it.
 */
import type { JsonValue, Storage, StoredValue } from '../storage/storage.ts';
import { timeAt } from './key-slot.ts';
import { encodePane, Panes, type Pane, type PaneEntry } from './panes.ts';
import type { KeyIds } from './key-ids.ts';
import type { RowTable } from './row-table.ts';
import type { Slice } from './slice.ts';

interface Thawed {
  readonly slice: Slice;
  /** The keys that were asked for, whether the storage had anything of theirs or not. */
  readonly keys: Set<string>;
}

type Put = readonly [key: string, value: StoredValue | undefined];

/** Values that a commit removes at the most, and as many more as it stores twice over: so that it keeps up. */
const PRUNED = 100;
const MOST_LISTED = 10_000;

export class ColdSlices {
  readonly #storage: Storage;
  readonly #prefix: string;
  readonly #panes: Panes;
  readonly #thawed = new Map<number, Thawed>();
  /** The greatest index of a slice that was ever stored: what is greater is provably new. */
  last = -Infinity;
  /** No slice that starts earlier is stored. */
  #oldest = -Infinity;
  /** As `oldest`, of what was stored since the last look. */
  #added = Infinity;

  constructor(storage: Storage, name: string) {
    this.#storage = storage;
    this.#prefix = `window/${name}/`;
    this.#panes = new Panes(storage, name);
  }

  thawed(index: number): Slice | undefined {
    return this.#thawed.get(index)?.slice;
  }

  slices(): readonly Slice[] {
    return Array.from(this.#thawed.values(), ({ slice }) => slice);
  }

  hasThawed(index: number, key: string): boolean {
    return this.#thawed.get(index)?.keys.has(key) ?? false;
  }

  /** Reads these keys of a slice back into rows; `open` makes the slice where none of it is thawed yet. */
  async thaw(
    index: number,
    names: ReadonlySet<string>,
    open: () => Slice,
    load: (slice: Slice, entry: PaneEntry) => void,
  ): Promise<void> {
    let thawed = this.#thawed.get(index);
    if (thawed === undefined) this.#thawed.set(index, (thawed = { slice: open(), keys: new Set() }));
    const panes =
      index > this.last ? new Map<string, Pane>() : await this.#panes.load(thawed.slice.start, names);
    for (const name of names) {
      const entry = panes.get(name)?.entries.get(name);
      if (entry !== undefined && !thawed.keys.has(name)) load(thawed.slice, entry);
      thawed.keys.add(name);
    }
  }

  /** Lets go of what was read back. */
  clear(): readonly Slice[] {
    const slices = this.slices();
    this.#thawed.clear();
    return slices;
  }

  /** Removes slices that are over from the storage, the oldest first. `stored`: how many values the commit puts there. */
  async prune(isOver: (start: number) => boolean, stored: number): Promise<readonly Put[]> {
    const oldest = this.#oldest;
    if (oldest === Infinity || (oldest > -Infinity && !isOver(oldest))) return [];
    const limit = Math.min(PRUNED + 2 * stored, MOST_LISTED);
    const page = await this.#storage.list(this.#prefix, { limit });
    const starts = page.map(([place]) => timeAt(place, this.#prefix.length));
    const left = starts.find((start) => !isOver(start));
    // What this commit stores is not listed yet.
    this.#oldest = Math.min(this.#added, left ?? (page.length < limit ? Infinity : -Infinity));
    this.#added = Infinity;
    return page.filter((_, i) => isOver(starts[i]!)).map(([place]) => [place, undefined] as const);
  }

  /** All that is stored from that start on. */
  entries(from: number, to: number): AsyncGenerator<readonly [start: number, entry: PaneEntry]> {
    return this.#panes.entries(from, to);
  }

  /** What of the slice is not stored as it is now. */
  async puts(
    slice: Slice,
    table: RowTable,
    keys: KeyIds,
  ): Promise<readonly (readonly [key: string, value: StoredValue])[]> {
    const changed = new Map<string, number>();
    for (let i = 0; i < slice.size; i++) {
      const row = slice.rows[i]!;
      if (table.isChanged(row)) changed.set(keys.name(slice.keys[i]!), row);
    }
    if (changed.size === 0) return [];
    this.last = Math.max(this.last, slice.index);
    this.#oldest = Math.min(this.#oldest, slice.start);
    this.#added = Math.min(this.#added, slice.start);
    const panes = await this.#panes.load(slice.start, changed.keys());
    for (const [name, row] of changed) {
      const states: JsonValue = table.states(row);
      panes.get(name)!.entries.set(name, [name, states, table.revisions[row]!]);
    }
    return [...new Set(panes.values())].map((pane) => [pane.storageKey, encodePane(pane)] as const);
  }
}
