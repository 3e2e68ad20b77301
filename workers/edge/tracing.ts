/**
 * The edge's spans, where `MILLRACE_OTLP_URL` names a collector: each event's acceptance, and each attempt to deliver it. Only
 * events whose trace is recorded have any.
 */
import type { Context } from 'hono';
import { decodeLine } from '../../src/event/wire.ts';
import { parseTraceparent, traceparentOfLine } from '../../src/event/trace-context.ts';
import { eventAttributes, type Tracer } from '../../src/monitor/tracing.ts';
import { OtlpTracer } from '../../src/monitor/otlp.ts';
import { readHeaders } from './collector-headers.ts';
import type { EdgeBindings, Env } from './environment.ts';
import { logFailure } from './failure-log.ts';

/** Acceptances that are told of one request: it may hold ten thousand events. */
const MOST_ACCEPTED = 100;

/**
 * A tracer of its own for each request and each object: what one request began, workerd lets no other one go on with.
 * `undefined` where nobody collects.
 */
export function tracerOf(env: Env): OtlpTracer | undefined {
  const { MILLRACE_OTLP_URL: url, MILLRACE_OTLP_HEADERS: headers } = env;
  if (url === undefined || url === '') return undefined;
  return new OtlpTracer({ url, service: 'millrace-edge', headers: readHeaders(headers ?? '') });
}

export interface Accepted {
  readonly lines: readonly string[];
  /** When the request came. */
  readonly startMs: number;
  readonly route: string;
}

/** A span `accept {type}` for each of the request's events, up to a hundred. The answer does not wait for the collector. */
export function traceAccepted(
  context: Pick<Context<EdgeBindings>, 'env' | 'executionCtx'>,
  { lines, startMs, route }: Accepted,
): void {
  if (!context.env.MILLRACE_OTLP_URL) return;
  const traced = lines
    .filter((line) => parseTraceparent(traceparentOfLine(line))?.sampled)
    .slice(0, MOST_ACCEPTED);
  const tracer = traced.length > 0 ? tracerOf(context.env) : undefined;
  if (tracer === undefined) return;
  for (const line of traced) acceptance(tracer, line, { startMs, route });
  context.executionCtx.waitUntil(finish(tracer));
}

function acceptance(tracer: Tracer, line: string, { startMs, route }: Omit<Accepted, 'lines'>): void {
  const event = decodeLine(line);
  const attributes = {
    ...eventAttributes(event),
    'messaging.operation.type': 'receive',
    'http.route': route,
  };
  const parent = event.traceparent;
  tracer.startSpan(`accept ${event.type}`, { parent, kind: 'server', startMs, attributes }).end();
}

async function finish(tracer: OtlpTracer): Promise<void> {
  await tracer.dispose();
  const { dropped, lastError } = tracer.status();
  if (dropped > 0) logFailure('tracing', new Error(`${dropped} spans were lost: ${lastError}`));
}
