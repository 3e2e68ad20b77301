/** A log on `node:sqlite` beside an archive, both of which fail, lie, and are cut off in the middle, as they are told. */
import { hasCode } from '../../src/errors.ts';
import { makeEvent } from '../../src/event/event.ts';
import { openSqlite, type SqlDatabase, type SqliteStorage } from '../../src/storage/sqlite.ts';
import type { SegmentArchive } from '../../src/storage/segments/archive.ts';
import { EVERYTHING, MemoryArchive, newKeys } from '../conformance/drivers/archived.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * `refused`: nothing happens, and it says so; `unanswered`: it happens, and says that it failed; `killed before`, `killed
 * after`: nobody is there to hear; `nothing`: a get finds none, a put keeps none; `wrong`: other bytes.
 */
export type Fault =
  | 'well'
  | 'refused'
  | 'unanswered'
  | 'killed before'
  | 'killed after'
  | 'nothing'
  | 'wrong';

export class FaultyArchive implements SegmentArchive {
  readonly kept = new MemoryArchive();
  faults: Fault[] = [];
  calls = 0;
  killed: () => void = () => undefined;

  put(key: string, bytes: Bytes): Promise<void> {
    return this.#call((fault) => {
      if (fault === 'nothing') return Promise.resolve();
      return this.kept.put(key, fault === 'wrong' ? wrong(bytes, 1) : bytes);
    });
  }

  get(key: string): Promise<Bytes | undefined> {
    return this.#call(async (fault) => {
      const bytes = fault === 'nothing' ? undefined : await this.kept.get(key);
      return fault === 'wrong' && bytes ? wrong(bytes, 2) : bytes;
    });
  }

  delete(key: string): Promise<void> {
    return this.#call(() => this.kept.delete(key));
  }

  async #call<T>(run: (fault: Fault) => Promise<T>): Promise<T> {
    this.calls++;
    const fault = this.faults.shift() ?? 'well';
    if (fault === 'refused') throw new Error('the archive is down');
    if (fault === 'killed before') return this.#kill();
    const value = await run(fault);
    if (fault === 'unanswered') throw new Error('the answer was lost');
    if (fault === 'killed after') return this.#kill();
    return value;
  }

  #kill(): Promise<never> {
    this.killed();
    return new Promise<never>(() => undefined);
  }
}

/** Two wrongs are no right. */
function wrong(bytes: Bytes, bit: number): Bytes {
  const other = bytes.slice();
  other[other.length >> 1]! ^= bit;
  return other;
}

export const KILLED = Symbol('killed');

export class ArchiveWorld {
  readonly archive = new FaultyArchive();
  readonly #database = nodeSqlite(':memory:');
  /** Calls into the database until one fails. */
  sqlFaultIn = Infinity;
  storage: SqliteStorage;
  /** Of each event its data, from the first position on. */
  readonly texts: string[] = [];
  readonly erased = new Set<number>();
  trimmed = 0;

  constructor() {
    this.storage = this.open();
  }

  open(): SqliteStorage {
    const failing: SqlDatabase = {
      exec: (sql, ...bindings) => {
        if (--this.sqlFaultIn <= 0) {
          this.sqlFaultIn = Infinity;
          throw new Error('the disk failed');
        }
        return this.#database.exec(sql, ...bindings);
      },
      transaction: (run) => this.#database.transaction(run),
    };
    const newKey = newKeys('log');
    const archive = { store: this.archive, newKey, cacheBytes: 4_000 };
    return (this.storage = openSqlite(failing, { archive }));
  }

  /** Its value, or `undefined` where it was refused for a fault, or killed: then the log is opened anew. */
  async attempt<T>(run: () => T | Promise<T>): Promise<T | undefined> {
    const { promise: killed, resolve } = Promise.withResolvers<typeof KILLED>();
    this.archive.killed = () => resolve(KILLED);
    try {
      const value = await Promise.race([(async () => run())(), killed]);
      if (value !== KILLED) return value;
    } catch (error) {
      if (!hasCode(error, 'storage.archive-failed') && !hasCode(error, 'storage.failed')) throw error;
      return undefined;
    }
    this.calm();
    this.open();
    return undefined;
  }

  calm(): void {
    this.archive.faults = [];
    this.sqlFaultIn = Infinity;
  }

  async commit(count: number): Promise<void> {
    const from = this.texts.length;
    const events = Array.from({ length: count }, (_, i) => eventOf(from + i));
    const [result] = (await this.attempt(() => this.storage.commit([{ events }]))) ?? [];
    if (result?.ok) this.texts.push(...events.map(({ data }) => (data as { text: string }).text));
  }

  archiveStep(): Promise<unknown> {
    return this.attempt(() => this.storage.archive(EVERYTHING));
  }

  async erase(from: number, to: number): Promise<boolean> {
    for (let at = from; at <= to;) {
      const done = await this.attempt(() => this.storage.erase(at, to));
      if (done === undefined) return false;
      at = done + 1;
    }
    for (let at = from; at <= to; at++) this.erased.add(at);
    return true;
  }

  /** Of all events that are kept, by position, what the log says. */
  async readAll(limit: number, direction: 'forward' | 'backward' = 'forward') {
    const read: (readonly [number, unknown])[] = [];
    const bound = direction === 'forward' ? 'after' : 'before';
    for (let from: number | undefined; ;) {
      const page = await this.storage.read({ [bound]: from, limit, direction });
      read.push(...page.events.map(({ position, event }) => [position, event.data] as const));
      if (!page.more) return read;
      from = page.next;
    }
  }

  /** What it should say. */
  expected(): (readonly [number, unknown])[] {
    const all = this.texts.map((text, i) => {
      const data = this.erased.has(i + 1) ? { $erased: true } : { text };
      return [i + 1, data] as const;
    });
    return all.slice(this.trimmed);
  }

  get segments(): number {
    return this.#count('log_segment');
  }

  get unsettled(): number {
    return this.#count('log_unsettled');
  }

  /** The objects that segments refer to. */
  referred(): string[] {
    const rows = this.#database.exec(`SELECT DISTINCT object FROM log_archived`);
    return rows.map((row) => row['object'] as string).toSorted();
  }

  #count(table: string): number {
    return this.#database.exec(`SELECT COUNT(*) AS n FROM ${table}`)[0]!['n'] as number;
  }
}

/** Some ids are ordered, some are brought. */
export function eventOf(number: number) {
  const hex = number.toString(16).padStart(12, '0');
  return makeEvent({
    id: number % 5 === 0 ? `order/${number}` : `018bcfe5-6800-7000-8000-${hex}`,
    type: number % 3 === 0 ? 'page.viewed' : 'order.placed',
    data: { text: `text-${number}-of-a-visitor` },
    timestamp: 1_700_000_000_000 + number,
    source: 'shop',
    priority: 2,
    correlationId: `visit-${number % 4}`,
    causationId: undefined,
    subject: `cart-${number % 7}`,
  });
}
