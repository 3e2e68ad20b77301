/**
 * Spans by way of the OpenTelemetry API, an optional peer: whatever SDK the application has registered records them. The
 * API is handed in, so that nobody who does not use it needs it.
 *
 * @example
 * import * as api from '@opentelemetry/api';
 * const tracer = openTelemetryTracer(api);
 */
import {
  continueTrace,
  formatTraceparent,
  parseTraceparent,
  startTrace,
} from '../event/trace-context.ts';
import { hostPorts, type Ports } from '../ports.ts';
import { describeFailure, type SpanKind, type Tracer } from './tracing.ts';

/** The part of `@opentelemetry/api` 1.x that is needed. */
export interface OpenTelemetryApi<Context = unknown> {
  readonly context: { active(): Context };
  readonly trace: {
    getTracer(name: string): OpenTelemetrySpans<Context>;
    setSpanContext(context: Context, spanContext: OpenTelemetrySpanContext): Context;
  };
}

interface OpenTelemetrySpanContext {
  traceId: string;
  spanId: string;
  traceFlags: number;
  isRemote?: boolean;
}

interface OpenTelemetrySpans<Context> {
  startSpan(
    name: string,
    options: {
      kind: number;
      startTime?: number;
      attributes: Record<string, string | number | boolean | undefined>;
    },
    context: Context,
  ): {
    spanContext(): OpenTelemetrySpanContext;
    setStatus(status: { code: number; message: string }): unknown;
    setAttribute(name: string, value: string): unknown;
    end(endTime?: number): void;
  };
}

/** As `SpanKind` of the API numbers them, which OTLP does from 1. */
const kinds: Readonly<Record<SpanKind, number>> = {
  internal: 0,
  server: 1,
  client: 2,
  producer: 3,
  consumer: 4,
};

const STATUS_ERROR = 2;

export interface OpenTelemetryOptions {
  /** For the context of what an SDK that is not there does not start. Default: the host's. */
  readonly ports?: Pick<Ports, 'fillRandom'>;
}

/** A span without a parent belongs to the one that is active. */
export function openTelemetryTracer<Context>(
  api: OpenTelemetryApi<Context>,
  { ports = hostPorts }: OpenTelemetryOptions = {},
): Tracer {
  return {
    startSpan(name, { parent, kind = 'internal', startMs, attributes = {} } = {}) {
      const span = api.trace.getTracer('millrace').startSpan(
        name,
        {
          kind: kinds[kind],
          attributes: { ...attributes },
          ...(startMs !== undefined && { startTime: startMs }),
        },
        below(api, parent),
      );
      return {
        traceparent: contextOf(span.spanContext()) ?? continueTrace(parent, ports) ?? startTrace(ports),
        fail(error) {
          const { type, message } = describeFailure(error);
          span.setStatus({ code: STATUS_ERROR, message });
          span.setAttribute('error.type', type);
        },
        end: (endMs) => span.end(endMs),
      };
    },
  };
}

function below<Context>(api: OpenTelemetryApi<Context>, parent: string | undefined): Context {
  const active = api.context.active();
  const context = parseTraceparent(parent);
  if (context === undefined) return active;
  const { traceId, spanId, sampled } = context;
  const traceFlags = sampled ? 1 : 0;
  return api.trace.setSpanContext(active, { traceId, spanId, traceFlags, isRemote: true });
}

/** Of a span that is none, as the API gives without an SDK, `undefined`. */
function contextOf({ traceId, spanId, traceFlags }: OpenTelemetrySpanContext): string | undefined {
  const text = formatTraceparent({ traceId, spanId, sampled: (traceFlags & 1) === 1 });
  return parseTraceparent(text) && text;
}
