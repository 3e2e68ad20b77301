/**
 * CloudEvents 1.0 as the second wire form: the JSON format (structured and batch modes), and the headers of the HTTP
 * binding's binary mode. Extensions `correlationid`, `causationid` and `priority` carry what CloudEvents has no name
 * for; `traceparent` is that of its extension for distributed tracing. Attributes that an event has no field for are not kept.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
import { invalidEvent, type Event } from './event.ts';
import { formatTraceparent, parseTraceparent } from './trace-context.ts';
import { fromWire, toWire, type WireEvent } from './wire.ts';

/** An event as CloudEvents' JSON format has it. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: unknown;
  readonly subject?: string;
  readonly correlationid?: string;
  readonly causationid?: string;
  readonly priority: number;
  readonly traceparent?: string;
}

export const cloudEventTypes = {
  structured: 'application/cloudevents+json',
  batch: 'application/cloudevents-batch+json',
} as const;

/** A field of the wire form, and the attribute that carries it. The data is apart from them. */
const attributes: readonly (readonly [field: Exclude<keyof WireEvent, 'data'>, attribute: string])[] = [
  ['id', 'id'],
  ['type', 'type'],
  ['timestamp', 'time'],
  ['source', 'source'],
  ['priority', 'priority'],
  ['correlation_id', 'correlationid'],
  ['causation_id', 'causationid'],
  ['subject', 'subject'],
  ['traceparent', 'traceparent'],
];

export function toCloudEvent(event: Event): CloudEvent {
  const { correlation_id, causation_id, subject, traceparent, timestamp: time, ...wire } = toWire(event);
  return {
    specversion: '1.0',
    ...wire,
    source: toUriReference(wire.source),
    time,
    datacontenttype: 'application/json',
    ...(subject !== undefined && { subject }),
    ...(correlation_id !== undefined && { correlationid: correlation_id }),
    ...(causation_id !== undefined && { causationid: causation_id }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/**
 * Reads an event in CloudEvents' JSON format.
 *
 * @throws MillraceError `event.invalid`, whose `path` is the JSON pointer of the field in our own wire form
 */
export function fromCloudEvent(cloudEvent: unknown): Event {
  return fromWire(wireOfCloudEvent(cloudEvent));
}

/**
 * What the attributes say, as a wire form whose fields nobody has checked yet, and of which some may be missing.
 *
 * @throws MillraceError `event.invalid` for what is no CloudEvent 1.0 whose data is JSON
 */
export function wireOfCloudEvent(given: unknown): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalidEvent('', given, 'must be a CloudEvent, a JSON object');
  const cloudEvent = given as Record<string, unknown>;
  const { specversion, datacontenttype, data = null } = cloudEvent;
  if (specversion !== '1.0') throw invalidEvent('/specversion', specversion, 'must be "1.0"');
  if (datacontenttype != null && !isJsonType(datacontenttype))
    throw invalidEvent('/datacontenttype', datacontenttype, 'must be JSON: no other data is kept');
  if (cloudEvent['data_base64'] !== undefined)
    throw invalidEvent('/data_base64', 'bytes', 'must be data as JSON: bytes are not kept');
  const fields = attributes.map(([field, attribute]) => [field, cloudEvent[attribute]] as const);
  const wire: Record<string, unknown> = { ...Object.fromEntries(fields), data };
  if (typeof wire['source'] === 'string') wire['source'] = fromUriReference(wire['source']);
  wire['traceparent'] = readTraceparent(wire['traceparent']);
  return wire;
}

/** The attribute's pointer, where the pointer is that of a field in our own wire form. */
export function cloudEventPointer(pointer: string): string {
  const [, name, rest = ''] = /^\/([^/]*)(.*)$/s.exec(pointer) ?? [];
  const attribute = attributes.find(([field]) => field === name)?.[1];
  return attribute === undefined ? pointer : `/${attribute}${rest}`;
}

/** The attributes as headers of the binary mode; the body is the data as JSON. */
export function toCloudEventHeaders(event: Event): Record<string, string> {
  const { data: _, datacontenttype, ...rest } = toCloudEvent(event);
  const headers = Object.entries(rest).map(([name, value]) => [`ce-${name}`, encodeHeader(`${value}`)]);
  return { ...(Object.fromEntries(headers) as Record<string, string>), 'content-type': datacontenttype };
}

/**
 * The attributes of binary mode's headers as the JSON format has them, to which the data is to be added. `undefined`
 * where the headers are those of no CloudEvent.
 */
export function fromCloudEventHeaders(
  headers: Iterable<readonly [name: string, value: string]>,
): Record<string, unknown> | undefined {
  const cloudEvent: Record<string, unknown> = {};
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower === 'content-type') cloudEvent['datacontenttype'] = value;
    if (lower.startsWith('ce-')) cloudEvent[lower.slice(3)] = decodeHeader(value);
  }
  if (cloudEvent['specversion'] === undefined) return undefined;
  // Headers are text: what is no number stays what it is, to be refused as that.
  const { priority } = cloudEvent;
  if (typeof priority === 'string' && /^[0-9]+$/.test(priority))
    cloudEvent['priority'] = Number(priority);
  return cloudEvent;
}

/** What others have malformed ends the trace, and not the event (W3C Trace Context, section 4.3). */
function readTraceparent(given: unknown): string | undefined {
  const context = typeof given === 'string' ? parseTraceparent(given) : undefined;
  return context && formatTraceparent(context);
}

function isJsonType(type: unknown): boolean {
  return typeof type === 'string' && /^[^;/]+\/(?:[^;]+\+)?json\s*(?:;|$)/i.test(type.trim());
}

const SOURCE_PREFIX = 'urn:millrace:source:';
const URI_REFERENCE = /^(?:[A-Za-z0-9\-._~:/?#@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;

/** A CloudEvent's source is a URI reference; a name that is none is carried in a URN. */
function toUriReference(source: string): string {
  return URI_REFERENCE.test(source) && !source.startsWith(SOURCE_PREFIX)
    ? source
    : SOURCE_PREFIX + encodeURIComponent(source);
}

function fromUriReference(source: string): string {
  if (!source.startsWith(SOURCE_PREFIX)) return source;
  return decodePercent(source.slice(SOURCE_PREFIX.length)) ?? source;
}

/** Printable ASCII but for space, quote and percent; the rest as UTF-8, percent-encoded (HTTP binding, 3.1.3.2). */
function encodeHeader(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/gu, (part) =>
    encodeURIComponent(part).replaceAll("'", '%27'),
  );
}

/** What was not encoded, though it should have been, is taken as it is. */
function decodeHeader(value: string): string {
  const text = /^".*"$/s.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : value;
  return decodePercent(text) ?? text;
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
