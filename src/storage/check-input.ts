/** What every driver refuses before it touches its database: bad queries, bad keys, batches past their bound. */
import { MillraceError } from '../errors.ts';
import { eventLimits } from '../event/event.ts';
import { isStorableText, STORABLE_TEXT } from '../event/text.ts';
import {
  storageLimits,
  type Commit,
  type ListOptions,
  type ProducerRange,
  type Query,
} from './storage.ts';

const DEFAULT_LIMIT = 100;
const DEFAULT_LIST_LIMIT = 1000;
const MAX_POSITION = Number.MAX_SAFE_INTEGER;
/** Objects and arrays inside one another in a value. */
const MOST_DEPTH = 100;

/** A query with its bounds filled in. */
export interface BoundedQuery extends Query {
  readonly after: number;
  readonly before: number;
  readonly direction: 'forward' | 'backward';
  readonly limit: number;
}

/** @throws MillraceError `query.invalid` */
export function checkQuery(query: Query): BoundedQuery {
  const { limit = DEFAULT_LIMIT, direction = 'forward', after = 0, before = MAX_POSITION } = query;
  checkWhole('/limit', limit, 1, storageLimits.pageEvents);
  checkWhole('/after', after, 0);
  checkWhole('/before', before, 0);
  checkTime('/from', query.from);
  checkTime('/to', query.to);
  const known = direction === 'forward' || direction === 'backward';
  must(known, '/direction', direction, "must be 'forward' or 'backward'");
  return { ...query, limit, direction, after, before };
}

/** @throws MillraceError `limit.exceeded`, `query.invalid` */
export function checkCommits(batch: readonly Commit[]): void {
  for (const commit of batch) {
    if (commit.events.length > storageLimits.commitEvents) throw tooManyEvents(commit.events.length);
    for (const [key, value] of commit.put ?? []) {
      checkText('/put', key, storageLimits.key);
      const storable = value === undefined || isStorable(value, MOST_DEPTH);
      must(storable, '/put', key, 'must be put with JSON or with bytes, and nothing else in it');
    }
    for (const { subject } of commit.expect ?? []) checkText('/expect', subject, eventLimits.subject);
    for (const range of commit.advance ?? []) checkRange('/advance', range, range.count ?? 1, 1);
    const range = commit.producer;
    if (range === undefined) continue;
    const { length } = commit.events;
    checkRange('/producer', range, range.count ?? length, Math.max(1, length));
  }
}

function checkRange(path: string, range: ProducerRange, count: number, least: number): void {
  checkText(`${path}/id`, range.id, storageLimits.producer);
  checkWhole(`${path}/epoch`, range.epoch, 1);
  checkWhole(`${path}/seq`, range.seq, 1);
  if (range.count !== undefined) checkWhole(`${path}/count`, range.count, 1);
  must(count >= least, `${path}/count`, range.count, 'must be at least 1 and the number of events');
}

/** The bounds of a list, filled in. @throws MillraceError `query.invalid` */
export function checkList(options: ListOptions): { readonly after: string; readonly limit: number } {
  const { after = '', limit = DEFAULT_LIST_LIMIT } = options;
  checkWhole('/limit', limit, 1, storageLimits.pageEvents);
  return { after, limit };
}

/** @throws MillraceError `query.invalid` */
export function checkTrim(until: number): void {
  checkWhole('/until', until, 0);
}

/** Whether every database gives the value back as it is: JSON whatever it is made of, or bytes. */
function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean';
  if (value === null) return true;
  if (value instanceof Uint8Array) return depth === MOST_DEPTH;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isStorable(item, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false;
  return Object.values(value).every((item) => isStorable(item, depth - 1));
}

function checkText(path: string, value: string, maximum: number): void {
  must(isStorableText(value), path, value, STORABLE_TEXT);
  const fits = value.length > 0 && value.length <= maximum;
  must(fits, path, value, `must be a text of 1 to ${maximum} characters`);
}

function checkWhole(path: string, value: number, from: number, to = Number.MAX_SAFE_INTEGER): void {
  const fits = Number.isSafeInteger(value) && value >= from && value <= to;
  must(fits, path, value, `must be a whole number from ${from} to ${to}`);
}

function checkTime(path: string, value = 0): void {
  must(Number.isFinite(value), path, value, 'must be ms since the Unix epoch');
}

function must(holds: boolean, path: string, value: unknown, reason: string): void {
  if (holds) return;
  const message = `${path} ${reason}: got ${String(value)}`;
  throw new MillraceError('query.invalid', message, { path, value, reason });
}

function tooManyEvents(actual: number): MillraceError<'limit.exceeded'> {
  const maximum = storageLimits.commitEvents;
  return new MillraceError(
    'limit.exceeded',
    `the commit has ${actual} events, the limit is ${maximum}: split it, and nothing of it was stored`,
    { limit: 'commit.events', maximum, actual },
  );
}
