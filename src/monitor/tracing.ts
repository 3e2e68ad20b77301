/**
 * Spans of what happens to events, for whoever records them. A tracer is a port: `OtlpTracer` sends spans to a collector by
 * itself, `openTelemetryTracer` hands them to the OpenTelemetry API, and without either nothing is recorded and events carry
 * their context on all the same.
 *
 * An event's `traceparent` names the span in which it was made. What is done with it is a child of that span, and what it
 * causes is made in a span below.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
import type { PublishReport } from '../bus/dispatch.ts';
import type { Middleware } from '../bus/middleware.ts';
import { isThenable } from '../bus/thenable.ts';
import { isWireError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { parseTraceparent } from '../event/trace-context.ts';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanOptions {
  /** The traceparent of the span that this one belongs to. Default: none, it begins a trace. */
  readonly parent?: string | undefined;
  /** Default: `internal`. */
  readonly kind?: SpanKind;
  /** In ms since the Unix epoch. Default: now. */
  readonly startMs?: number;
  /** What is `undefined` is left out. */
  readonly attributes?: Attributes;
}

export interface Span {
  /** Its own context, for what is done within it. */
  readonly traceparent: string;
  /** It has failed: with the error's code, where it is one of ours, and its message. */
  fail(error: unknown): void;
  /** Ends it, now or when it ended, in ms since the Unix epoch. What comes after that changes nothing. */
  end(endMs?: number): void;
}

export interface Tracer {
  startSpan(name: string, options?: SpanOptions): Span;
}

/** What a span says of its event: never of its data. */
export function eventAttributes(event: Omit<Event, 'data' | 'timestamp'>): Attributes {
  return {
    'messaging.system': 'millrace',
    'messaging.destination.name': event.type,
    'messaging.message.id': event.id,
    'messaging.message.conversation_id': event.correlationId,
    'cloudevents.event_id': event.id,
    'cloudevents.event_source': event.source,
    'cloudevents.event_type': event.type,
    'cloudevents.event_subject': event.subject,
    'millrace.causation_id': event.causationId,
  };
}

/** Whether the event's trace, if it is part of one, is to be recorded. */
export function isTraced({ traceparent }: Pick<Event, 'traceparent'>): boolean {
  return parseTraceparent(traceparent)?.sampled === true;
}

/**
 * Runs a task in a span, which ends with it: at once, or when its promise settles. What it throws is the span's failure,
 * and is thrown on.
 */
export function inSpan<T>(
  tracer: Tracer,
  name: string,
  options: SpanOptions,
  task: (span: Span) => T,
): T {
  const span = tracer.startSpan(name, options);
  const failed = (error: unknown): never => {
    span.fail(error);
    span.end();
    throw error;
  };
  try {
    const result = task(span);
    if (!isThenable(result)) {
      span.end();
      return result;
    }
    return result.then((value) => {
      span.end();
      return value;
    }, failed) as T;
  } catch (error) {
    return failed(error);
  }
}

/**
 * For `bus.use`: a span `publish {type}` around all that the bus's handlers do with an event whose trace is recorded. A
 * handler that failed is the span's failure.
 */
export function traceMiddleware(tracer: Tracer): Middleware {
  return (event, next) => {
    if (!isTraced(event)) return next(event);
    const attributes = { ...eventAttributes(event), 'messaging.operation.type': 'process' };
    const parent = event.traceparent;
    return inSpan(tracer, `publish ${event.type}`, { parent, kind: 'consumer', attributes }, (span) => {
      const ended = ({ outcomes }: PublishReport): void => {
        const failed = outcomes.find(({ status }) => status === 'failed');
        if (failed !== undefined) span.fail(failed.error);
      };
      const report = next(event);
      return isThenable(report) ? report.then(ended) : ended(report);
    });
  };
}

/** What a span says of an error: the attribute `error.type`, and a message. */
export function describeFailure(error: unknown): { readonly type: string; readonly message: string } {
  if (isWireError(error)) return { type: error.code, message: error.message };
  if (error instanceof Error) return { type: error.name, message: error.message };
  return { type: '_OTHER', message: String(error) };
}
