/**
 * The trace of an attempt: a span where somebody records it, and the header by which its receiver goes on. Events that are
 * delivered together go on together only where all are of one trace; each carries its own in any case.
 */
import { parseTraceparent, traceparentOfLine } from '../../../src/event/trace-context.ts';
import { decodeLine } from '../../../src/event/wire.ts';
import { eventAttributes, type Span, type Tracer } from '../../../src/monitor/tracing.ts';
import type { Answer } from './outcome.ts';

export interface TracedAttempt {
  readonly lines: readonly string[];
  /** The delivery's. */
  readonly id: string;
  readonly url: string;
  /** Attempts before this one. */
  readonly before: number;
}

export interface DeliveryTrace {
  readonly headers: Readonly<Record<string, string>>;
  end(answer: Answer): void;
}

export function traceDelivery(attempt: TracedAttempt, tracer: Tracer | undefined): DeliveryTrace {
  const parent = commonTraceparent(attempt.lines);
  if (parent === undefined) return { headers: {}, end: () => undefined };
  const recorded = parseTraceparent(parent)?.sampled === true;
  const span = recorded ? tracer && startSpan(attempt, parent, tracer) : undefined;
  return {
    headers: { traceparent: span?.traceparent ?? parent },
    end: (answer) => endSpan(span, answer),
  };
}

/** Of the first, where all are of one trace. */
function commonTraceparent(lines: readonly string[]): string | undefined {
  const first = traceparentOfLine(lines[0] ?? '');
  const { traceId } = parseTraceparent(first) ?? {};
  const same = (line: string): boolean => parseTraceparent(traceparentOfLine(line))?.traceId === traceId;
  return lines.every(same) ? first : undefined;
}

function startSpan({ lines, id, url, before }: TracedAttempt, parent: string, tracer: Tracer): Span {
  const event = decodeLine(lines[0]!);
  return tracer.startSpan(`deliver ${event.type}`, {
    parent,
    kind: 'client',
    attributes: {
      ...eventAttributes(event),
      'messaging.operation.type': 'send',
      'messaging.batch.message_count': lines.length > 1 ? lines.length : undefined,
      'millrace.delivery': id,
      'http.request.method': 'POST',
      'http.request.resend_count': before > 0 ? before : undefined,
      'server.address': new URL(url).host,
    },
  });
}

function endSpan(span: Span | undefined, { status, error }: Answer): void {
  if (status === undefined) span?.fail(new Error(error ?? 'there was no answer'));
  else if (status < 200 || status > 299) span?.fail(new Error(`the endpoint answered ${status}`));
  span?.end();
}
