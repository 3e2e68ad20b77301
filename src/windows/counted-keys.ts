/** The keys of windows of so many events, in memory: their panes, and what was handed on of them. */
import type { KeptCount } from './cold-keys.ts';
import type { KeyIds } from './key-ids.ts';
import type { RowTable } from './row-table.ts';
import type { Emitted } from './window-plan.ts';
import type { JsonValue } from '../storage/storage.ts';

/** A key's panes. */
export interface CountedKey {
  readonly key: number;
  /** Events that have come and were folded. */
  seen: number;
  /** The number of the first pane that is kept. */
  first: number;
  /** The rows of the panes from there on. */
  rows: number[];
  /** By the number of the window: what was handed on of it before its end. */
  emitted: Map<number, Emitted>;
  /** What `seen` was when the stream ended and the result was handed on; -1 before. */
  done: number;
  changed: boolean;
  /** In memory ahead of its events, or already stored as it is. */
  dirty: boolean;
}

export class CountedKeys {
  readonly #ids: KeyIds;
  readonly #table: RowTable;
  /** By the key's id. */
  readonly #counted: (CountedKey | undefined)[] = [];

  constructor(ids: KeyIds, table: RowTable) {
    this.#ids = ids;
    this.#table = table;
  }

  get(key: number): CountedKey | undefined {
    return this.#counted[key];
  }

  *all(): Generator<CountedKey> {
    for (const counted of this.#counted) if (counted !== undefined) yield counted;
  }

  begin(key: number): CountedKey {
    const counted = {
      key,
      seen: 0,
      first: 0,
      rows: [],
      emitted: new Map<number, Emitted>(),
      done: -1,
      changed: false,
      dirty: false,
    };
    this.#counted[key] = counted;
    this.#ids.hold(key);
    return counted;
  }

  load({ name, seen, first, panes, emitted, done = -1 }: KeptCount): CountedKey {
    const counted = this.begin(this.#ids.of(name));
    Object.assign(counted, { seen, first, done });
    for (const [number, kept] of emitted as unknown as [number, Emitted][])
      counted.emitted.set(number, kept);
    for (const [state, revision] of panes) this.#table.load(this.addPane(counted), [state], revision);
    return counted;
  }

  /** As it is to be stored. */
  kept({ key, seen, first, rows, emitted, done }: CountedKey): KeptCount {
    const panes = rows.map((row) => [this.#table.states(row)[0]!, this.#table.revisions[row]!] as const);
    const handedOn = [...emitted] as unknown as JsonValue;
    const kept = { name: this.#ids.name(key), seen, first, panes, emitted: handedOn };
    return done === -1 ? kept : { ...kept, done };
  }

  addPane({ rows }: CountedKey): number {
    const row = this.#table.allocate();
    rows.push(row);
    return row;
  }

  letGo(counted: CountedKey): void {
    for (const row of counted.rows) this.#table.free(row);
    this.#counted[counted.key] = undefined;
    this.#ids.release(counted.key);
  }
}
