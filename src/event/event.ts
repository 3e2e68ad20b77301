/**
 * The event: one thing that happened, with its time, its origin and its causes.
 *
 * Immutable once made. An event carries its wire form with it once that exists, privately: it is encoded where it is
 * captured, and every log, sync and pull on its way reuses those bytes.
 */
import { MillraceError } from '../errors.ts';
import { deepFreeze } from './freeze.ts';
import { isPriority, type Priority } from './priority.ts';
import { isStorableText, STORABLE_TEXT } from './text.ts';
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
  /**
   * The trace that it is part of, as W3C Trace Context has it: `00-{trace id}-{span id}-{flags}`, 55 characters. It is about
   * how the event came here and not what it says: two events that differ in it alone are the same. See `trace-context.ts`.
   */
  readonly traceparent?: string | undefined;
}

/** The bounds of an event: the longest of each field in UTF-16 code units, `line` the whole in its wire form. */
export const eventLimits = {
  id: 128,
  type: 256,
  source: 1024,
  correlationId: 256,
  causationId: 128,
  subject: 512,
  line: 262_144,
  /** Objects and arrays inside one another in `data`, so that nobody who walks through it runs out of stack. */
  depth: 100,
} as const;

/**
 * Checks every field and makes the immutable event. What in `data` is not JSON shows when it is encoded.
 *
 * @throws MillraceError `event.invalid`, whose `path` is the field's JSON pointer in the wire form.
 */
export function makeEvent<Type extends string, Data>(
  fields: Event<Type, Data>,
  line?: string,
): Event<Type, Data> {
  checkText('/id', fields.id, eventLimits.id);
  // Types and sources are few, and mostly the same text as that of the event before.
  if (fields.type !== checked.type) {
    checkText('/type', fields.type, eventLimits.type);
    checked.type = fields.type;
  }
  if (fields.source !== checked.source) {
    checkText('/source', fields.source, eventLimits.source);
    checked.source = fields.source;
  }
  checkOptionalText('/correlation_id', fields.correlationId, eventLimits.correlationId);
  checkOptionalText('/causation_id', fields.causationId, eventLimits.causationId);
  checkOptionalText('/subject', fields.subject, eventLimits.subject);
  if (fields.traceparent !== undefined && !isTraceparent(fields.traceparent))
    throw invalidEvent('/traceparent', fields.traceparent, TRACEPARENT_FORM);
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
  if (!isWithinDepth(fields.data, eventLimits.depth)) {
    const reason = `must be nested ${eventLimits.depth} deep at most, and hold no cycle`;
    throw invalidEvent('/data', fields.data, reason);
  }
  return new EncodedEvent(fields, line);
}

/** Whether an event may carry it: version 00, with ids that are not all 0 (W3C Trace Context, section 3.2.2). */
export function isTraceparent(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(value)
  );
}

export const TRACEPARENT_FORM = 'must be a W3C traceparent of version 00';

/** The last that were found sound; at first, some that are. */
const checked = { type: 'page.viewed', source: 'page' };

/**
 * The event itself where `makeEvent` made it, else one made of its fields: who brings a plain object gets it checked.
 *
 * @throws MillraceError as `makeEvent` does
 */
export function asMadeEvent(event: Event): Event {
  return EncodedEvent.is(event) ? event : makeEvent(event);
}

/** An event of fields that `makeEvent` has checked before, with its line: what a log has kept since. */
export function restoreEvent(fields: Event, line: string): Event {
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

/** `details.value` is the value where it is a simple one, else what it is: an error must cross any boundary. */
export function invalidEvent(
  path: string,
  value: unknown,
  reason: string,
): MillraceError<'event.invalid'> {
  const shown = describe(value);
  const simple = value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof value);
  const details = { path, value: simple ? value : shown, reason };
  return new MillraceError('event.invalid', `${path.slice(1)} ${reason}: got ${shown}`, details);
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
  readonly traceparent: string | undefined;
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
    this.traceparent = fields.traceparent;
    this.#line = line;
    deepFreeze(this);
  }

  static is(event: Event): boolean {
    return #line in event;
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
  if (!isStorableText(value)) throw invalidEvent(path, value, STORABLE_TEXT);
  if (value.length > limit) throw invalidEvent(path, value, `must be at most ${limit} characters long`);
}

function checkOptionalText(path: string, value: unknown, limit: number): void {
  if (value !== undefined) checkText(path, value, limit);
}

function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  for (const key in value) {
    if (!isWithinDepth((value as Record<string, unknown>)[key], depth - 1)) return false;
  }
  return true;
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
