/**
 * The event: one thing that happened, with its time, its origin and its causes.
 *
 * Immutable once made. An event carries its wire form with it once that exists, privately: it is encoded where it is
 * captured, and every log, sync and pull on its way reuses those bytes.
 */
import { MillraceError } from '../errors.ts';
import { deepFreeze } from './freeze.ts';
import { isPriority, type Priority } from './priority.ts';
import { isTimestamp } from './timestamp.ts';

export interface Event<Type extends string = string, Data = unknown> {
  /** Unique for all time. A UUIDv7 unless it was brought. */
  readonly id: string;
  /** `{domain}.{action}`, as in `order.placed`. */
  readonly type: Type;
  /** JSON. */
  readonly data: Data;
  /** Event time: when it happened, in ms since the Unix epoch. */
  readonly timestamp: number;
  /** Who says so: a service, a page, a device. */
  readonly source: string;
  readonly priority: Priority;
  /** What belongs together: a session, a request, a saga. */
  readonly correlationId?: string | undefined;
  /** The id of the event that caused this one. */
  readonly causationId?: string | undefined;
  /** What it is about: the aggregate whose stream it is in. */
  readonly subject?: string | undefined;
}

/** The longest of each field, in UTF-16 code units; `line` is the whole event in its wire form. */
export const eventLimits = {
  id: 128,
  type: 256,
  source: 1024,
  correlationId: 256,
  causationId: 128,
  subject: 512,
  line: 262_144,
} as const;

/**
 * Checks every field but `data`, which is checked by being encoded, and makes the immutable event.
 *
 * @throws MillraceError `event.invalid`, whose `path` is the field's JSON pointer in the wire form.
 */
export function makeEvent<Type extends string, Data>(
  fields: Event<Type, Data>,
  line?: string,
): Event<Type, Data> {
  checkText('/id', fields.id, eventLimits.id);
  checkText('/type', fields.type, eventLimits.type);
  checkText('/source', fields.source, eventLimits.source);
  checkOptionalText('/correlation_id', fields.correlationId, eventLimits.correlationId);
  checkOptionalText('/causation_id', fields.causationId, eventLimits.causationId);
  checkOptionalText('/subject', fields.subject, eventLimits.subject);
  if (!isTimestamp(fields.timestamp)) {
    throw invalidEvent(
      '/timestamp',
      fields.timestamp,
      'must be whole ms since the Unix epoch, in the years 0 to 9999',
    );
  }
  if (!isPriority(fields.priority)) {
    throw invalidEvent(
      '/priority',
      fields.priority,
      'must be 1 (low), 2 (normal), 3 (high) or 4 (critical)',
    );
  }
  if (fields.data === undefined)
    throw invalidEvent('/data', undefined, 'must be JSON: use null where there is none');
  return new EncodedEvent(fields, line);
}

/** The wire form that the event already carries, if it does. */
export function carriedLine(event: Event): string | undefined {
  return EncodedEvent.line(event);
}

/** Keeps the wire form with the event, where the event can carry it (one made by `makeEvent` can). */
export function carryLine(event: Event, line: string): void {
  EncodedEvent.carry(event, line);
}

export function invalidEvent(
  path: string,
  value: unknown,
  reason: string,
): MillraceError<'event.invalid'> {
  return new MillraceError('event.invalid', `${path.slice(1)} ${reason}: got ${describe(value)}`, {
    path,
    value,
    reason,
  });
}

class EncodedEvent<Type extends string, Data> implements Event<Type, Data> {
  readonly id: string;
  readonly type: Type;
  readonly data: Data;
  readonly timestamp: number;
  readonly source: string;
  readonly priority: Priority;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly subject: string | undefined;
  #line: string | undefined;

  // Every field is set, in one order, so that all events share one hidden class.
  constructor(fields: Event<Type, Data>, line: string | undefined) {
    this.id = fields.id;
    this.type = fields.type;
    this.data = fields.data;
    this.timestamp = fields.timestamp;
    this.source = fields.source;
    this.priority = fields.priority;
    this.correlationId = fields.correlationId;
    this.causationId = fields.causationId;
    this.subject = fields.subject;
    this.#line = line;
    deepFreeze(this);
  }

  static line(event: Event): string | undefined {
    return #line in event ? event.#line : undefined;
  }

  static carry(event: Event, line: string): void {
    if (#line in event) event.#line = line;
  }
}

function checkText(path: string, value: unknown, limit: number): void {
  if (typeof value !== 'string' || value.length === 0)
    throw invalidEvent(path, value, 'must be a non-empty string');
  // Databases cut text at U+0000, and UTF-8 cannot write half a surrogate pair: both would come back as something else.
  if (!value.isWellFormed() || value.includes('\0'))
    throw invalidEvent(path, value, 'must be Unicode without U+0000');
  if (value.length > limit) throw invalidEvent(path, value, `must be at most ${limit} characters long`);
}

function checkOptionalText(path: string, value: unknown, limit: number): void {
  if (value !== undefined) checkText(path, value, limit);
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}
