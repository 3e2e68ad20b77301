/**
 * The trace that an event is part of, as W3C Trace Context writes it: `00-{trace id}-{span id}-{flags}`. An event carries
 * the context in which it was made: its span id names its making, and whatever it causes has that as its parent.
 * `tracestate` is not kept.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md
 */
import type { Ports } from '../ports.ts';
import type { Event } from './event.ts';
import type { EventOptions } from './factory.ts';

export interface TraceContext {
  /** 32 small hex digits, not all of them 0. The same for all that belongs to the trace. */
  readonly traceId: string;
  /** 16 small hex digits, not all of them 0. */
  readonly spanId: string;
  /** Whether who started the trace wants it recorded. */
  readonly sampled: boolean;
}

export interface StartTraceOptions {
  /** Default: true. */
  readonly sampled?: boolean;
}

const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
/** A later version may say more behind what version 00 says (section 3.2.4). */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** `undefined` for what is none: its receiver then goes on as if nothing had been said (section 4.3). */
export function parseTraceparent(text: string | null | undefined): TraceContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(text ?? '') ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined))
    return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 };
}

/** In version 00, which is the one that an event carries. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

const AT_THE_END = /,"traceparent":"(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})"\}$/;
const END_LENGTH = ',"traceparent":""}'.length + 55;

/** Of the event with this line, which was found sound before: as we write a line, it is seen without parsing. */
export function traceparentOfLine(line: string): string | undefined {
  const [, found] = AT_THE_END.exec(line.slice(-END_LENGTH)) ?? [];
  if (found !== undefined || !line.includes('"traceparent"')) return found;
  return (JSON.parse(line) as { readonly traceparent?: string | null }).traceparent ?? undefined;
}

/** A new trace, which begins with what is given this. */
export function startTrace(
  ports: Pick<Ports, 'fillRandom'>,
  { sampled = true }: StartTraceOptions = {},
): string {
  const traceId = randomHex(ports, TRACE_BYTES);
  return formatTraceparent({ traceId, spanId: randomHex(ports, SPAN_BYTES), sampled });
}

/** The same trace, at a span of its own. `undefined` where there is none to go on with. */
export function continueTrace(
  traceparent: string | null | undefined,
  ports: Pick<Ports, 'fillRandom'>,
): string | undefined {
  const context = parseTraceparent(traceparent);
  return context && formatTraceparent({ ...context, spanId: randomHex(ports, SPAN_BYTES) });
}

export interface CauseOptions {
  /** The traceparent of the span in which the effect is made. Default: the cause's own: who records nothing passes it on. */
  readonly within?: string | undefined;
}

/**
 * What is said of an event that another one caused: its cause, the trace, if any, of that, and its correlation. Where the cause
 * has none, what it causes belongs together by its id.
 */
export function causedBy(
  { id: causationId, correlationId, traceparent }: Pick<Event, 'id' | 'correlationId' | 'traceparent'>,
  { within = traceparent }: CauseOptions = {},
): Pick<EventOptions, 'causationId' | 'correlationId' | 'traceparent'> {
  return { causationId, correlationId: correlationId ?? causationId, traceparent: within };
}

function randomHex(ports: Pick<Ports, 'fillRandom'>, count: number): string {
  const bytes = new Uint8Array(count);
  // All zeros means none: it comes once in 2⁶⁴ times, and is drawn again.
  while (bytes.every((byte) => byte === 0)) ports.fillRandom(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
