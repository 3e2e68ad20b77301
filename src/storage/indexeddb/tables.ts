/** A log's tables in one IndexedDB transaction. Requests are sent together where none needs another's answer. */
import type { IDBPTransaction } from 'idb';
import type { LogSchema, SegmentRecord } from './schema.ts';
import type { LogChange, SegmentHead, SegmentScan, SegmentTables } from '../segments/tables.ts';
import type { Segment, SegmentHeader } from '../segments/segment.ts';
import type { Position } from '../position.ts';
import type { ProducerHead, StoredValue } from '../storage.ts';

type Stores = ('state' | 'segments' | 'unordered' | 'subjects' | 'producers' | 'values')[];
type Transaction<Mode extends IDBTransactionMode> = IDBPTransaction<LogSchema, Stores, Mode>;

const HEAD = 'head';

export class IndexedDbTables implements SegmentTables {
  /** The log's head after a write that stored events. */
  written: Position | undefined;
  readonly #transaction: Transaction<'readwrite'>;

  constructor(transaction: Transaction<'readonly'> | Transaction<'readwrite'>) {
    // A read-only transaction offers the same stores without their writing half, which a reading script never calls.
    this.#transaction = transaction as Transaction<'readwrite'>;
  }

  head(): Promise<SegmentHead | undefined> {
    return this.#store('state').get(HEAD);
  }

  async startOf(position: Position): Promise<Position> {
    const cursor = await this.#segments.openKeyCursor(IDBKeyRange.upperBound(position), 'prev');
    return cursor?.key ?? 0;
  }

  async header(first: Position): Promise<Segment | undefined> {
    const record = await this.#segments.get(first);
    return record && toSegment(record);
  }

  async headerOfId(id: string): Promise<Segment | undefined> {
    const cursor = await this.#segments.index('firstId').openCursor(IDBKeyRange.upperBound(id), 'prev');
    return cursor === null ? undefined : toSegment(cursor.value);
  }

  async headers(scan: SegmentScan): Promise<readonly Segment[]> {
    if (scan.from >= scan.to) return [];
    const records =
      scan.terms.length > 0
        ? await this.#byTerms(scan)
        : scan.minTime !== undefined
          ? await this.#byTime(scan, scan.minTime)
          : await this.#inOrder(scan);
    return records.map(toSegment);
  }

  /** A record comes whole: its lines are at hand. */
  lines(header: SegmentHeader, start: number, end?: number): Uint8Array<ArrayBuffer> {
    return (header as Segment).lines.subarray(start, end);
  }

  async unordered(ids: readonly string[]): Promise<ReadonlyMap<string, Position>> {
    return getAll(this.#store('unordered'), ids);
  }

  async versions(subjects: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return getAll(this.#store('subjects'), subjects);
  }

  async producers(ids: readonly string[]): Promise<ReadonlyMap<string, ProducerHead>> {
    return getAll(this.#store('producers'), ids);
  }

  value(key: string): Promise<StoredValue | undefined> {
    return this.#store('values').get(key);
  }

  async values(
    prefix: string,
    after: string,
    limit: number,
  ): Promise<readonly (readonly [string, StoredValue])[]> {
    const range = prefixRange(prefix, after);
    if (range === undefined) return [];
    const store = this.#store('values');
    const [keys, values] = await Promise.all([
      store.getAllKeys(range, limit),
      store.getAll(range, limit),
    ]);
    return keys.map((key, i) => [key, values[i]!]);
  }

  /** Sends everything at once. What comes of it is the transaction's outcome, which the caller awaits. */
  write(change: LogChange): void {
    for (const { first } of change.removed) send(this.#segments.delete(first));
    for (const segment of change.added) send(this.#segments.put(toRecord(segment)));
    // A store is only asked for where there is something for it: that alone costs as much as a small request.
    for (const [id, position] of change.unordered) send(this.#store('unordered').put(position, id));
    for (const id of change.forgotten) send(this.#store('unordered').delete(id));
    for (const [subject, version] of change.versions)
      send(this.#store('subjects').put(version, subject));
    for (const [id, head] of change.producers) send(this.#store('producers').put(head, id));
    for (const [key, value] of change.values) {
      const values = this.#store('values');
      send(value === undefined ? values.delete(key) : values.put(value, key));
    }
    send(this.#store('state').put(change.head, HEAD));
    if (change.added.length > 0 && change.removed.length === 0) this.written = change.head.position;
  }

  get #segments() {
    return this.#store('segments');
  }

  #store<Name extends Stores[number]>(name: Name) {
    return this.#transaction.objectStore(name);
  }

  async #inOrder(scan: SegmentScan): Promise<SegmentRecord[]> {
    const range = IDBKeyRange.bound(scan.from, scan.to, false, true);
    if (scan.direction === 'forward') return this.#segments.getAll(range, scan.limit);
    const records: SegmentRecord[] = [];
    let cursor = await this.#segments.openCursor(range, 'prev');
    while (cursor !== null && records.push(cursor.value) < scan.limit) cursor = await cursor.continue();
    return records;
  }

  /** Each term's own range gives as many as asked for, so that the first of them all are among them. */
  async #byTerms(scan: SegmentScan): Promise<SegmentRecord[]> {
    const lists = await Promise.all(scan.terms.map((term) => this.#firstsOfTerm(term, scan)));
    return this.#load(lists.flat(), scan);
  }

  async #firstsOfTerm(term: string, scan: SegmentScan): Promise<Position[]> {
    const index = this.#segments.index('postings');
    const range = IDBKeyRange.bound([term, scan.from], [term, scan.to], false, true);
    if (scan.direction === 'forward') return index.getAllKeys(range, scan.limit);
    const firsts: Position[] = [];
    let cursor = await index.openKeyCursor(range, 'prev');
    while (cursor !== null && firsts.push(cursor.primaryKey) < scan.limit)
      cursor = await cursor.continue();
    return firsts;
  }

  async #byTime(scan: SegmentScan, minTime: number): Promise<SegmentRecord[]> {
    const firsts = await this.#segments.index('maxTime').getAllKeys(IDBKeyRange.lowerBound(minTime));
    return this.#load(
      firsts.filter((first) => first >= scan.from && first < scan.to),
      scan,
    );
  }

  async #load(firsts: readonly Position[], scan: SegmentScan): Promise<SegmentRecord[]> {
    const sign = scan.direction === 'forward' ? 1 : -1;
    const wanted = [...new Set(firsts)].toSorted((a, b) => sign * (a - b)).slice(0, scan.limit);
    const records = await Promise.all(wanted.map((first) => this.#segments.get(first)));
    return records.filter((record) => record !== undefined);
  }
}

/** A request that fails aborts its transaction, which says so: here its rejection is only kept from standing alone. */
function send(request: Promise<unknown>): void {
  request.catch(() => {});
}

async function getAll<T>(
  store: { get(key: string): Promise<T | undefined> },
  keys: readonly string[],
): Promise<ReadonlyMap<string, T>> {
  const values = await Promise.all(keys.map(async (key) => store.get(key)));
  const found = new Map<string, T>();
  for (const [i, value] of values.entries()) if (value !== undefined) found.set(keys[i]!, value);
  return found;
}

function toRecord({ terms, firstId, lastId, ...segment }: Segment): SegmentRecord {
  return {
    ...segment,
    postings: terms.map((term) => [term, segment.first]),
    ...(firstId !== '' && { firstId, lastId }),
  };
}

function toSegment({ postings, firstId = '', lastId = '', ...segment }: SegmentRecord): Segment {
  return { ...segment, terms: postings.map(([term]) => term), firstId, lastId };
}

/** The keys that start with the prefix and are greater than `after`; `undefined` where there can be none. */
function prefixRange(prefix: string, after: string): IDBKeyRange | undefined {
  const open = after >= prefix;
  const lower = open ? after : prefix;
  const upper = endOfPrefix(prefix);
  if (upper === undefined) return IDBKeyRange.lowerBound(lower, open);
  return lower < upper ? IDBKeyRange.bound(lower, upper, open, true) : undefined;
}

/** The smallest text that is greater than all that start with the prefix. None where there is no such text. */
function endOfPrefix(prefix: string): string | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const unit = prefix.charCodeAt(i);
    if (unit < 0xffff) return prefix.slice(0, i) + String.fromCharCode(unit + 1);
  }
  return undefined;
}
