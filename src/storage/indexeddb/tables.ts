/** A log's tables in one IndexedDB transaction. Requests are sent together where none needs another's answer. */
import { answer, walk } from './request.ts';
import type { SegmentRecord, StoreName } from './schema.ts';
import {
  emptySegmentHead,
  type LogChange,
  type SegmentHead,
  type SegmentScan,
  type SegmentTables,
} from '../segments/tables.ts';
import type { Segment, SegmentHeader } from '../segments/segment.ts';
import type { Position } from '../position.ts';
import type { MaybePromise, ProducerHead, StoredValue } from '../storage.ts';

const HEAD = 'head';
const HEAD_FIELDS = Object.keys(emptySegmentHead) as (keyof SegmentHead)[];

/**
 * A write begins before it knows where the log stands: with the head that this tab wrote last, while the real one is on
 * its way. Mostly they are the same, and the work on a commit costs no time then. Where `headHeld` says no, the
 * transaction must be aborted: the answer to the question comes before any of its writes, so that it cannot have ended.
 */
export class IndexedDbTables implements SegmentTables {
  readonly #transaction: IDBTransaction;
  #assumed: SegmentHead | undefined;
  #real: Promise<SegmentHead | undefined> | undefined;
  #change: LogChange | undefined;

  constructor(transaction: IDBTransaction, assumed?: SegmentHead) {
    this.#transaction = transaction;
    this.#assumed = assumed;
  }

  /** The head after it. */
  get written(): SegmentHead | undefined {
    return this.#change?.head;
  }

  /** The log's last position, where events were stored. */
  get stored(): Position | undefined {
    const { added = [], removed = [], head } = this.#change ?? {};
    return added.length > 0 && removed.length === 0 ? head?.position : undefined;
  }

  head(): MaybePromise<SegmentHead | undefined> {
    this.#real ??= answer<SegmentHead | undefined>(this.#store('state').get(HEAD));
    return this.#assumed ?? this.#real;
  }

  /** Whether the head that was told is the log's own. */
  async headHeld(): Promise<boolean> {
    const assumed = this.#assumed;
    if (assumed === undefined || this.#real === undefined) return true;
    const real = await this.#real;
    return real !== undefined && HEAD_FIELDS.every((field) => real[field] === assumed[field]);
  }

  async startOf(position: Position): Promise<Position> {
    const range = IDBKeyRange.upperBound(position);
    const cursor = await answer(this.#segments.openKeyCursor(range, 'prev'));
    return (cursor?.key as Position | undefined) ?? 0;
  }

  async header(first: Position): Promise<Segment | undefined> {
    const record = await this.#record(first);
    return record && toSegment(record);
  }

  async headerOfId(id: string): Promise<Segment | undefined> {
    const range = IDBKeyRange.upperBound(id);
    const cursor = await answer(this.#segments.index('firstId').openCursor(range, 'prev'));
    return cursor === null ? undefined : toSegment(cursor.value as SegmentRecord);
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
    return answer<StoredValue | undefined>(this.#store('values').get(key));
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
      answer(store.getAllKeys(range, limit)),
      answer<StoredValue[]>(store.getAll(range, limit)),
    ]);
    return keys.map((key, i) => [key as string, values[i]!]);
  }

  /** Sends everything at once. What comes of it is the transaction's outcome, which the caller awaits. */
  write(change: LogChange): void {
    this.#change = change;
    // A store is only asked for where there is something for it: that alone costs as much as a small request.
    for (const { first } of change.removed) this.#segments.delete(first);
    for (const segment of change.added) this.#segments.put(toRecord(segment));
    for (const [id, position] of change.unordered) this.#store('unordered').put(position, id);
    for (const id of change.forgotten) this.#store('unordered').delete(id);
    for (const [subject, version] of change.versions) this.#store('subjects').put(version, subject);
    for (const [id, head] of change.producers) this.#store('producers').put(head, id);
    for (const [key, value] of change.values) {
      const values = this.#store('values');
      if (value === undefined) values.delete(key);
      else values.put(value, key);
    }
    this.#store('state').put(change.head, HEAD);
  }

  get #segments(): IDBObjectStore {
    return this.#store('segments');
  }

  #store(name: StoreName): IDBObjectStore {
    return this.#transaction.objectStore(name);
  }

  async #record(first: Position): Promise<SegmentRecord | undefined> {
    return answer<SegmentRecord | undefined>(this.#segments.get(first));
  }

  async #inOrder(scan: SegmentScan): Promise<SegmentRecord[]> {
    const range = IDBKeyRange.bound(scan.from, scan.to, false, true);
    if (scan.direction === 'forward')
      return answer<SegmentRecord[]>(this.#segments.getAll(range, scan.limit));
    const records: SegmentRecord[] = [];
    const cursors = this.#segments.openCursor(range, 'prev');
    await walk(cursors, ({ value }) => records.push(value as SegmentRecord) < scan.limit);
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
    if (scan.direction === 'forward')
      return (await answer(index.getAllKeys(range, scan.limit))) as Position[];
    const firsts: Position[] = [];
    const cursors = index.openKeyCursor(range, 'prev');
    await walk(cursors, ({ primaryKey }) => firsts.push(primaryKey as Position) < scan.limit);
    return firsts;
  }

  async #byTime(scan: SegmentScan, minTime: number): Promise<SegmentRecord[]> {
    const range = IDBKeyRange.lowerBound(minTime);
    const firsts = await answer(this.#segments.index('maxTime').getAllKeys(range));
    return this.#load(
      (firsts as Position[]).filter((first) => first >= scan.from && first < scan.to),
      scan,
    );
  }

  async #load(firsts: readonly Position[], scan: SegmentScan): Promise<SegmentRecord[]> {
    const sign = scan.direction === 'forward' ? 1 : -1;
    const wanted = [...new Set(firsts)].toSorted((a, b) => sign * (a - b)).slice(0, scan.limit);
    const records = await Promise.all(wanted.map((first) => this.#record(first)));
    return records.filter((record) => record !== undefined);
  }
}

async function getAll<T>(
  store: IDBObjectStore,
  keys: readonly string[],
): Promise<ReadonlyMap<string, T>> {
  const values = await Promise.all(keys.map(async (key) => answer<T | undefined>(store.get(key))));
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
