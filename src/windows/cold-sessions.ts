/**
 * Sessions in the storage. Those that are open stand together, a value for each key, to be read whole at the start; each
 * that is complete has a value of its own, ordered by key and then from the latest to the earliest, so that the sessions
 * around a time are the first of a listing. Where they do not stay for ever, each has an entry by its last event's time.
 */
import type { JsonValue, Storage, StoredValue } from '../storage/storage.ts';
import { keySlot, sortableTime } from './key-slot.ts';
import type { KeyIds } from './key-ids.ts';
import type { RowTable } from './row-table.ts';
import type { EmittedSession, Session } from './session-list.ts';

interface KeptSession {
  readonly start: number;
  readonly last: number;
  readonly states: JsonValue;
  readonly revision: number;
  readonly emitted: readonly EmittedSession[];
}

interface ClosedSession extends Omit<KeptSession, 'emitted'> {
  readonly stored: string;
}

type Put = readonly [key: string, value: StoredValue | undefined];
type KeptOpen = readonly [key: string, sessions: readonly KeptSession[]];

const PAGE = 100;
const NEIGHBOURS = 4;
/** Sessions that a commit removes at the most, and as many more as it stores twice over: so that it keeps up. */
const PRUNED = 100;
const MOST_LISTED = 10_000;

export class ColdSessions {
  readonly #storage: Storage;
  readonly #prefix: string;
  /** Stored sessions that have become parts of others. */
  #taken = new Set<string>();
  /** Keys whose open sessions have become fewer. */
  #fewer = new Set<string>();
  readonly #isLimited: boolean;
  /** No session that ended earlier is stored. */
  #oldest = -Infinity;
  /** As `oldest`, of what was stored since the last look. */
  #added = Infinity;

  /** `isLimited`: those that are complete are removed some day. Those that were stored without it stay. */
  constructor(storage: Storage, name: string, isLimited: boolean) {
    this.#storage = storage;
    this.#prefix = `window/${name}`;
    this.#isLimited = isLimited;
  }

  /** The stored sessions of a key that an event of that time belongs to. */
  async around(key: string, time: number, gapMs: number): Promise<readonly ClosedSession[]> {
    const prefix = `${this.#prefix}/closed/${keySlot(key)}/`;
    const found: ClosedSession[] = [];
    // The first that starts less than a gap after the event.
    let after = prefix + sortableTime(-(time + gapMs));
    for (;;) {
      const page = await this.#storage.list(prefix, { after, limit: NEIGHBOURS });
      for (const [stored, value] of page) {
        const [start, last, states, revision] = value as unknown as [number, number, JsonValue, number];
        if (time - last >= gapMs) return found;
        found.push({ stored, start, last, states, revision });
        after = stored;
      }
      if (page.length < NEIGHBOURS) return found;
    }
  }

  /** Whether the stored session is a part of another by now. */
  isTaken(stored: string): boolean {
    return this.#taken.has(stored);
  }

  async *open(): AsyncGenerator<KeptOpen> {
    const prefix = `${this.#prefix}/open/`;
    let after: string | undefined;
    for (;;) {
      const page = await this.#storage.list(prefix, { after, limit: PAGE });
      for (const [stored, value] of page) {
        yield value as unknown as KeptOpen;
        after = stored;
      }
      if (page.length < PAGE) return;
    }
  }

  /** The session is a part of another. */
  forget({ stored, key }: Session, keys: KeyIds): void {
    if (stored !== undefined) this.#taken.add(stored);
    this.#fewer.add(keys.name(key));
  }

  puts(sessions: Iterable<Session>, table: RowTable, keys: KeyIds): readonly Put[] {
    const open = new Map<string, KeptSession[]>();
    const changed = new Set(this.#fewer);
    const removed = new Set(this.#taken);
    const put: Put[] = [];
    for (const session of sessions) {
      const name = keys.name(session.key);
      const kept = keptSession(session, table);
      const isChanged = table.isChanged(session.row);
      if (!session.closed) {
        const list = open.get(name);
        if (list === undefined) open.set(name, [kept]);
        else list.push(kept);
        if (isChanged || session.dirty) changed.add(name);
        if (session.stored !== undefined) removed.add(session.stored);
        continue;
      }
      if (session.stored === undefined) changed.add(name);
      const place = `${this.#prefix}/closed/${keySlot(name)}/${sortableTime(-session.start)}`;
      if (session.stored !== undefined && session.stored !== place) removed.add(session.stored);
      if (!isChanged && session.stored === place) continue;
      put.push([place, [kept.start, kept.last, kept.states, kept.revision]]);
      if (this.#isLimited) put.push(this.#ended(place, kept.last, name));
    }
    for (const name of changed) {
      const kept = open.get(name);
      const value = kept === undefined ? undefined : ([name, kept] as unknown as JsonValue);
      put.push([`${this.#prefix}/open/${keySlot(name)}`, value]);
    }
    const places = new Set(put.map(([place]) => place));
    for (const place of removed) if (!places.has(place)) put.push([place, undefined]);
    return put;
  }

  #ended(place: string, last: number, name: string): Put {
    this.#oldest = Math.min(this.#oldest, last);
    this.#added = Math.min(this.#added, last);
    return [`${this.#prefix}/ended/${sortableTime(last)}/${keySlot(name)}`, [place, last]];
  }

  /** Removes complete sessions that are over by their last event's time, the oldest first. `puts`: what the commit stores. */
  async prune(isOver: (last: number) => boolean, puts: readonly Put[]): Promise<readonly Put[]> {
    if (!this.#isLimited || (this.#oldest > -Infinity && !isOver(this.#oldest))) return [];
    const limit = Math.min(PRUNED + 2 * puts.length, MOST_LISTED);
    const page = await this.#storage.list(`${this.#prefix}/ended/`, { limit });
    const entries = page.map(([entry, value]) => ({
      entry,
      place: (value as readonly [string, number])[0],
      last: (value as readonly [string, number])[1],
    }));
    const changed = new Set(puts.map(([place]) => place));
    const over = entries.filter(({ entry, last }) => isOver(last) && !changed.has(entry));
    // What this commit stores is not listed yet.
    const left = entries.find(({ last }) => !isOver(last))?.last;
    this.#oldest = Math.min(this.#added, left ?? (page.length < limit ? Infinity : -Infinity));
    this.#added = Infinity;
    const removed = over.map(async ({ entry, place, last }): Promise<readonly Put[]> => {
      // It may have grown since, and have another entry.
      const stored = changed.has(place) ? undefined : await this.#storage.get(place);
      const isSame = (stored as readonly JsonValue[] | undefined)?.[1] === last;
      return isSame
        ? [
            [entry, undefined],
            [place, undefined],
          ]
        : [[entry, undefined]];
    });
    return (await Promise.all(removed)).flat();
  }

  committed(): void {
    this.#taken = new Set();
    this.#fewer = new Set();
  }
}

function keptSession({ start, last, row, emitted }: Session, table: RowTable): KeptSession {
  return { start, last, states: table.states(row)[0]!, revision: table.revisions[row]!, emitted };
}
