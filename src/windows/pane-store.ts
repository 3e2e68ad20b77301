/**
 * Where a view's panes live in a storage.
 *
 * A window's first keys share one value, so that a usual window costs one read and one write however many keys it has.
 * Keys beyond those have a value each, so that no value grows without bound, and a fold reads only the keys it changes.
 * Which keys share is decided by the log's order alone, and never changes: the shared value only ever fills up.
 */
import { listPages } from '../storage/list-pages.ts';
import type { JsonValue, Storage, StoredValue } from '../storage/storage.ts';

/** One key of one window: its aggregation's state, and how many events are folded into it. */
export type PaneEntry = readonly [key: string, state: JsonValue, revision: number];

/** The entries that share one stored value. */
export interface Pane {
  readonly storageKey: string;
  readonly entries: Map<string, PaneEntry>;
}

/** The most keys of a window that share a value. */
const SHARED_KEYS = 64;
/** More of a key than this does not enter the storage's key: such keys share a value with those that begin alike. */
const SLOT_LENGTH = 256;
/** Makes every window's start a positive number of 16 digits, so that text sorts as time does. */
const START_BIAS = 1_000_000_000_000_000;
const START_DIGITS = 16;

export class PaneStore {
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, name: string) {
    this.#storage = storage;
    this.#prefix = `window/${name}/`;
  }

  /** The panes that hold these keys of a window, or are to hold them. */
  async load(start: number, keys: Iterable<string>): Promise<ReadonlyMap<string, Pane>> {
    const shared = await this.#pane(this.startKey(start));
    let room = SHARED_KEYS - shared.entries.size;
    const slots = new Map<string, Pane>();
    const panes = new Map<string, Pane>();
    for (const key of keys) {
      if (shared.entries.has(key) || room-- > 0) {
        panes.set(key, shared);
        continue;
      }
      const slot = this.slotKey(start, key);
      const pane = slots.get(slot) ?? (await this.#pane(slot));
      slots.set(slot, pane);
      panes.set(key, pane);
    }
    return panes;
  }

  /** All entries of the windows that start in [from, to), by start and then by key. */
  async entriesIn(from: number, to: number): Promise<readonly (readonly [number, PaneEntry])[]> {
    const found: [number, PaneEntry][] = [];
    for await (const [storageKey, value] of this.list(this.beforeStart(from))) {
      const start = this.startOf(storageKey);
      if (start >= to) break;
      for (const entry of decodePane(value)) found.push([start, entry]);
    }
    return found.toSorted(([start, entry], [other, next]) => start - other || order(entry, next));
  }

  /** The stored values after a key. */
  protected async *list(first: string): AsyncGenerator<readonly [string, StoredValue]> {
    for await (const page of listPages(this.#storage, this.#prefix, { after: first, limit: 100 }))
      yield* page;
  }

  protected async value(storageKey: string): Promise<StoredValue | undefined> {
    return this.#storage.get(storageKey);
  }

  async #pane(storageKey: string): Promise<Pane> {
    const entries = decodePane(await this.value(storageKey));
    return { storageKey, entries: new Map(entries.map((entry) => [entry[0], entry])) };
  }

  // A slash sorts before every digit: the values of a window stand together, the shared one first.
  protected startKey(start: number): string {
    return this.#prefix + (start + START_BIAS).toString().padStart(START_DIGITS, '0');
  }

  /** After all keys of earlier windows. */
  protected beforeStart(start: number): string {
    return `${this.startKey(start - 1)}0`;
  }

  protected slotKey(start: number, key: string): string {
    return `${this.startKey(start)}/${slotOf(key)}`;
  }

  protected startOf(storageKey: string): number {
    const digits = storageKey.slice(this.#prefix.length, this.#prefix.length + START_DIGITS);
    return Number(digits) - START_BIAS;
  }
}

export function encodePane(pane: Pane): JsonValue {
  return [...pane.entries.values()];
}

export function decodePane(value: StoredValue | undefined): readonly PaneEntry[] {
  return (value ?? []) as unknown as readonly PaneEntry[];
}

/** The storage's order of the entries: by code unit, as long as a key is a slot's length of well-formed text. */
export function order(left: PaneEntry, right: PaneEntry): number {
  return compare(slotOf(left[0]), slotOf(right[0])) || compare(left[0], right[0]);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** What of a key a storage's key can hold: no lone surrogate, and no U+0000. */
function slotOf(key: string): string {
  return key.slice(0, SLOT_LENGTH).toWellFormed().replaceAll('\0', '\ufffd');
}
