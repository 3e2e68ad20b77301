/**
 * The specification's wire form: one JSON object an event, snake case, ISO 8601 time, numeric priority.
 * A *line* is that object as text without a line break, so that many of them are NDJSON.
 */
import { MillraceError } from '../errors.ts';
import { carriedLine, carryLine, eventLimits, invalidEvent, makeEvent, type Event } from './event.ts';
import { DEFAULT_PRIORITY, type Priority } from './priority.ts';
import { formatTimestamp, parseTimestamp } from './timestamp.ts';

export interface WireEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  /** ISO 8601. */
  readonly timestamp: string;
  readonly source: string;
  readonly priority: Priority;
  readonly correlation_id?: string;
  readonly causation_id?: string;
  readonly subject?: string;
  /** W3C Trace Context, version 00. The last key, where we write the line: see `traceparentOfLine`. */
  readonly traceparent?: string;
}

export function toWire(event: Event): WireEvent {
  const { correlation_id, causation_id, subject, traceparent, ...wire } = wireFields(event);
  return {
    ...wire,
    ...(correlation_id !== undefined && { correlation_id }),
    ...(causation_id !== undefined && { causation_id }),
    ...(subject !== undefined && { subject }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** With `undefined` where a field is absent, which JSON leaves out: one shape for every event is the fastest to write. */
function wireFields(event: Event) {
  return {
    id: event.id,
    type: event.type,
    data: event.data,
    timestamp: formatTimestamp(event.timestamp),
    source: event.source,
    priority: event.priority,
    correlation_id: event.correlationId,
    causation_id: event.causationId,
    subject: event.subject,
    traceparent: event.traceparent,
  };
}

/**
 * Reads an event in its wire form. `null` in an optional field is its absence; unknown fields are let be.
 *
 * @throws MillraceError `event.invalid`, whose `path` is the JSON pointer of the field.
 */
export function fromWire(wire: unknown, line?: string): Event {
  if (typeof wire !== 'object' || wire === null || Array.isArray(wire)) {
    throw invalidEvent('/', wire, 'an event must be a JSON object');
  }
  const fields = wire as Record<string, unknown>;
  return makeEvent(
    {
      id: fields['id'] as string,
      type: fields['type'] as string,
      data: fields['data'],
      timestamp: readTimestamp(fields['timestamp']),
      source: fields['source'] as string,
      priority: (fields['priority'] ?? DEFAULT_PRIORITY) as Priority,
      correlationId: (fields['correlation_id'] ?? undefined) as string | undefined,
      causationId: (fields['causation_id'] ?? undefined) as string | undefined,
      subject: (fields['subject'] ?? undefined) as string | undefined,
      traceparent: (fields['traceparent'] ?? undefined) as string | undefined,
    },
    line,
  );
}

/**
 * The event as one line of JSON, encoded the first time and carried from then on.
 *
 * @throws MillraceError `event.invalid` where `data` is no JSON, `limit.exceeded` where the line is too long.
 */
export function encodeLine(event: Event): string {
  const carried = carriedLine(event);
  if (carried !== undefined) return carried;
  const kind = typeof event.data;
  if (kind === 'undefined' || kind === 'function' || kind === 'symbol') {
    throw invalidEvent('/data', kind, 'must be JSON');
  }
  const line = checkLength(stringify(event));
  carryLine(event, line);
  return line;
}

/** The line of fields that nobody has checked: whoever decodes it checks them. @throws whatever JSON does */
export function writeLine(event: Event): string {
  return JSON.stringify(wireFields(event));
}

/**
 * Reads one line; the event carries it on unchanged.
 *
 * @throws MillraceError `event.invalid` where it is no JSON or no event, `limit.exceeded` where it is too long.
 */
export function decodeLine(line: string): Event {
  checkLength(line);
  let wire: unknown;
  try {
    wire = JSON.parse(line);
  } catch (cause) {
    throw new MillraceError(
      'event.invalid',
      `the line is no JSON: ${(cause as Error).message}`,
      { path: '/', value: line.slice(0, 200), reason: 'must be JSON' },
      { cause },
    );
  }
  // White space inside JSON may break the line, and a line that breaks would be two in NDJSON: it is encoded anew.
  return fromWire(wire, line.includes('\n') ? undefined : line);
}

function stringify(event: Event): string {
  try {
    return writeLine(event);
  } catch (cause) {
    throw new MillraceError(
      'event.invalid',
      `data is no JSON: ${(cause as Error).message}; leave cycles and BigInt out`,
      { path: '/data', value: event.type, reason: 'must be JSON' },
      { cause },
    );
  }
}

function checkLength(line: string): string {
  if (line.length > eventLimits.line) {
    throw new MillraceError(
      'limit.exceeded',
      `the event is ${line.length} characters long, the limit is ${eventLimits.line}: store large content elsewhere and refer to it`,
      { limit: 'event.line', maximum: eventLimits.line, actual: line.length },
    );
  }
  return line;
}

function readTimestamp(value: unknown): number {
  const timestamp = typeof value === 'string' ? parseTimestamp(value) : undefined;
  if (timestamp === undefined)
    throw invalidEvent('/timestamp', value, 'must be an ISO 8601 time such as 2026-01-31T09:30:00.000Z');
  return timestamp;
}
