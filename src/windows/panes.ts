/** The panes of a store as a stream, of which one page holds a bounded part. */
import type { StoredValue } from '../storage/storage.ts';
import { decodePane, order, PaneStore, type PaneEntry } from './pane-store.ts';

export { encodePane, type Pane, type PaneEntry } from './pane-store.ts';

/** A pane's entry where it stands among the windows. */
export interface PanePlace {
  readonly start: number;
  readonly key: string;
}

export class Panes extends PaneStore {
  /** Entries of the windows that start in [from, to), by start and then by key, past `after`. */
  async *entries(
    from: number,
    to: number,
    after?: PanePlace,
  ): AsyncGenerator<readonly [number, PaneEntry]> {
    let start = after?.start ?? from;
    let shared = after === undefined ? [] : await this.#rest(after);
    const first = after === undefined ? this.beforeStart(from) : this.slotKey(after.start, after.key);
    for await (const [storageKey, value] of this.list(first)) {
      const at = this.startOf(storageKey);
      const isShared = storageKey === this.startKey(at);
      const entries = sorted(value);
      const until = isShared ? undefined : entries[0];
      while (shared.length > 0 && (until === undefined || order(shared[0]!, until) < 0))
        yield [start, shared.shift()!];
      if (at >= to) return;
      start = at;
      if (isShared) shared = entries;
      else for (const entry of entries) yield [start, entry];
    }
    for (const entry of shared) yield [start, entry];
  }

  /** What the listing after a place no longer names: the window's shared entries, and those of the place's own slot. */
  async #rest(after: PanePlace): Promise<PaneEntry[]> {
    const keys = [this.startKey(after.start), this.slotKey(after.start, after.key)];
    const values = await Promise.all(keys.map((key) => this.value(key)));
    const entries = values.flatMap((value) => sorted(value));
    return entries.filter((entry) => order(entry, [after.key, null, 0]) > 0).toSorted(order);
  }
}

function sorted(value: StoredValue | undefined): PaneEntry[] {
  return decodePane(value).toSorted(order);
}
