/**
 * Spans as OTLP's JSON has them: ids in hex, times in ns as text, kinds and codes as numbers.
 *
 * @see https://github.com/open-telemetry/opentelemetry-proto/blob/v1.5.0/opentelemetry/proto/trace/v1/trace.proto
 */
import type { Attributes, SpanKind } from './tracing.ts';

/** A span that has ended. */
export interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly failure: { readonly type: string; readonly message: string } | undefined;
}

const kinds: Readonly<Record<SpanKind, number>> = {
  internal: 1,
  server: 2,
  client: 3,
  producer: 4,
  consumer: 5,
};

const STATUS_ERROR = 2;
/** The trace is recorded (others are never sent), and whether the parent is elsewhere is known (`SpanFlags`). */
const FLAGS = 0x101;
/** It is: all that is known of it is its traceparent. */
const PARENT_IS_REMOTE = 0x200;
const LONGEST_TEXT = 1_024;

/** The body of one request. */
export function otlpRequest(spans: readonly OtlpSpan[], resource: Attributes): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [{ scope: { name: 'millrace' }, spans: spans.map(spanOf) }],
      },
    ],
  });
}

function spanOf(span: OtlpSpan) {
  const { failure, parentId } = span;
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    flags: parentId === undefined ? FLAGS : FLAGS | PARENT_IS_REMOTE,
    name: span.name.slice(0, LONGEST_TEXT),
    kind: kinds[span.kind],
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(Math.max(span.startMs, span.endMs)),
    attributes: attributesOf({ ...span.attributes, 'error.type': failure?.type }),
    status:
      failure === undefined
        ? {}
        : { code: STATUS_ERROR, message: failure.message.slice(0, LONGEST_TEXT) },
  };
}

/** A number beyond 2^53 as text, which JSON's 64-bit numbers are in Protobuf's mapping. None is before the epoch. */
function nanoseconds(ms: number): string {
  const whole = Math.max(0, Math.floor(ms));
  return whole === 0 ? '0' : `${whole}000000`;
}

function attributesOf(attributes: Attributes) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: valueOf(value) }],
  );
}

function valueOf(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value.slice(0, LONGEST_TEXT) };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
