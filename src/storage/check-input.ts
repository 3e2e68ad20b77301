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
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > storageLimits.pageEvents) {
    throw invalidQuery('/limit', limit, `must be a whole number from 1 to ${storageLimits.pageEvents}`);
  }
  checkPosition('/after', query.after);
  checkPosition('/before', query.before);
  checkNumber('/from', query.from);
  checkNumber('/to', query.to);
  const direction = query.direction ?? 'forward';
  if (direction !== 'forward' && direction !== 'backward') {
    throw invalidQuery('/direction', direction, "must be 'forward' or 'backward'");
  }
  return {
    ...query,
    limit,
    direction,
    after: query.after ?? 0,
    before: query.before ?? Number.MAX_SAFE_INTEGER,
  };
}

/** @throws MillraceError `limit.exceeded`, `query.invalid` */
export function checkCommits(batch: readonly Commit[]): void {
  for (const commit of batch) {
    if (commit.events.length > storageLimits.commitEvents) throw tooManyEvents(commit.events.length);
    for (const [key, value] of commit.put ?? []) {
      checkText('/put', key, storageLimits.key);
      if (value !== undefined && !isStorable(value, MOST_DEPTH)) {
        throw invalidQuery('/put', key, 'must be put with JSON or with bytes, and nothing else in it');
      }
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
  checkWhole(`${path}/epoch`, range.epoch);
  checkWhole(`${path}/seq`, range.seq);
  if (range.count !== undefined) checkWhole(`${path}/count`, range.count);
  if (count >= least) return;
  const reason = 'must be at least 1, and at least the number of events';
  throw invalidQuery(`${path}/count`, range.count, reason);
}

/** The bounds of a list, filled in. @throws MillraceError `query.invalid` */
export function checkList(options: ListOptions): { readonly after: string; readonly limit: number } {
  const { after = '', limit = DEFAULT_LIST_LIMIT } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > storageLimits.pageEvents) {
    throw invalidQuery('/limit', limit, `must be a whole number from 1 to ${storageLimits.pageEvents}`);
  }
  return { after, limit };
}

/** @throws MillraceError `query.invalid` */
export function checkTrim(until: number): void {
  if (!Number.isSafeInteger(until) || until < 0)
    throw invalidQuery('/until', until, 'must be a position');
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
  if (!isStorableText(value)) throw invalidQuery(path, value, STORABLE_TEXT);
  if (value.length === 0 || value.length > maximum) {
    throw invalidQuery(path, value, `must be a text of 1 to ${maximum} characters`);
  }
}

function checkPosition(path: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return;
  throw invalidQuery(path, value, 'must be a position, a whole number from 0');
}

function checkWhole(path: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw invalidQuery(path, value, 'must be a whole number from 1');
}

function checkNumber(path: string, value: number | undefined): void {
  if (value !== undefined && !Number.isFinite(value))
    throw invalidQuery(path, value, 'must be ms since the Unix epoch');
}

function invalidQuery(path: string, value: unknown, reason: string): MillraceError<'query.invalid'> {
  return new MillraceError('query.invalid', `${path} ${reason}: got ${String(value)}`, {
    path,
    value,
    reason,
  });
}

function tooManyEvents(actual: number): MillraceError<'limit.exceeded'> {
  const maximum = storageLimits.commitEvents;
  return new MillraceError(
    'limit.exceeded',
    `the commit has ${actual} events, the limit is ${maximum}: split it, and nothing of it was stored`,
    { limit: 'commit.events', maximum, actual },
  );
}
