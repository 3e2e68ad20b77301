/**
 * Where a view's panes live in a storage.
 *
 * A window's first keys share one value, so that a usual window costs one read and one write however many keys it has.
 * Keys beyond those have a value each, so that no value grows without bound, and a fold reads only the keys it changes.
 * Which keys share is decided by the log's order alone, and never changes: the shared value only ever fills up.
 */
import type { JsonValue, Storage, StoredValue } from '../storage/storage.ts';

/** One key of one window: its aggregation's state, and how many events are folded into it. */
export type PaneEntry = readonly [key: string, state: JsonValue, revision: number];

/** The entries that share one stored value. */
export interface Pane {
  readonly storageKey: string;
  readonly entries: Map<string, PaneEntry>;
}

/** A pane's entry where it stands among the windows. */
export interface PanePlace {
  readonly start: number;
  readonly key: string;
}

/** The most keys of a window that share a value. */
const SHARED_KEYS = 64;
/** More of a key than this does not enter the storage's key: such keys share a value with those that begin alike. */
const SLOT_LENGTH = 256;
const LIST_LIMIT = 100;
/** Makes every window's start a positive number of 16 digits, so that text sorts as time does. */
const START_BIAS = 1_000_000_000_000_000;
const START_DIGITS = 16;

export class Panes {
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, name: string) {
    this.#storage = storage;
    this.#prefix = `window/${name}/`;
  }

  /** The panes that hold these keys of a window, or are to hold them. */
  async load(start: number, keys: Iterable<string>): Promise<ReadonlyMap<string, Pane>> {
    const shared = await this.#pane(this.#startKey(start));
    let room = SHARED_KEYS - shared.entries.size;
    const slots = new Map<string, Pane>();
    const panes = new Map<string, Pane>();
    for (const key of keys) {
      if (shared.entries.has(key) || room-- > 0) {
        panes.set(key, shared);
        continue;
      }
      const slot = this.#slotKey(start, key);
      const pane = slots.get(slot) ?? (await this.#pane(slot));
      slots.set(slot, pane);
      panes.set(key, pane);
    }
    return panes;
  }

  /** Entries of the windows that start in [from, to), by start and then by key, past `after`. */
  async *entries(
    from: number,
    to: number,
    after?: PanePlace,
  ): AsyncGenerator<readonly [number, PaneEntry]> {
    let start = after?.start ?? from;
    let shared = after === undefined ? [] : await this.#rest(after);
    const first =
      after === undefined ? `${this.#startKey(from - 1)}0` : this.#slotKey(after.start, after.key);
    for await (const [storageKey, value] of this.#list(first)) {
      const at = this.#startOf(storageKey);
      const isShared = storageKey === this.#startKey(at);
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

  async *#list(first: string): AsyncGenerator<readonly [string, StoredValue]> {
    let after = first;
    for (;;) {
      const found = await this.#storage.list(this.#prefix, { after, limit: LIST_LIMIT });
      yield* found;
      const last = found.at(-1);
      if (last === undefined || found.length < LIST_LIMIT) return;
      after = last[0];
    }
  }

  /** What the listing after a place no longer names: the window's shared entries, and those of the place's own slot. */
  async #rest(after: PanePlace): Promise<PaneEntry[]> {
    const keys = [this.#startKey(after.start), this.#slotKey(after.start, after.key)];
    const values = await Promise.all(keys.map((key) => this.#storage.get(key)));
    const entries = values.flatMap((value) => sorted(value));
    return entries.filter((entry) => order(entry, [after.key, null, 0]) > 0).toSorted(order);
  }

  async #pane(storageKey: string): Promise<Pane> {
    const entries = decode(await this.#storage.get(storageKey));
    return { storageKey, entries: new Map(entries.map((entry) => [entry[0], entry])) };
  }

  // A slash sorts before every digit: the values of a window stand together, the shared one first.
  #startKey(start: number): string {
    return this.#prefix + (start + START_BIAS).toString().padStart(START_DIGITS, '0');
  }

  #slotKey(start: number, key: string): string {
    return `${this.#startKey(start)}/${slotOf(key)}`;
  }

  #startOf(storageKey: string): number {
    const digits = storageKey.slice(this.#prefix.length, this.#prefix.length + START_DIGITS);
    return Number(digits) - START_BIAS;
  }
}

export function encodePane(pane: Pane): JsonValue {
  return [...pane.entries.values()];
}

function decode(value: StoredValue | undefined): readonly PaneEntry[] {
  return (value ?? []) as unknown as readonly PaneEntry[];
}

function sorted(value: StoredValue | undefined): PaneEntry[] {
  return decode(value).toSorted(order);
}

/** The storage's order of the entries: by code unit, as long as a key is a slot's length of well-formed text. */
function order(left: PaneEntry, right: PaneEntry): number {
  return compare(slotOf(left[0]), slotOf(right[0])) || compare(left[0], right[0]);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** What of a key a storage's key can hold: no lone surrogate, and no U+0000. */
function slotOf(key: string): string {
  return key.slice(0, SLOT_LENGTH).toWellFormed().replaceAll('\0', '\ufffd');
}
