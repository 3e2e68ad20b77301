/** Spans: by OTLP to a collector, beside what OpenTelemetry's own SDK and serializer make of the same, and by its API. */
import * as api from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { EventBus } from '../../src/bus/event-bus.ts';
import { createEventFactory } from '../../src/event/factory.ts';
import { causedBy, parseTraceparent, startTrace } from '../../src/event/trace-context.ts';
import { OtlpTracer, type OtlpTracerOptions } from '../../src/monitor/otlp.ts';
import { openTelemetryTracer } from '../../src/monitor/tracing-open-telemetry.ts';
import {
  eventAttributes,
  inSpan,
  traceMiddleware,
  type Span,
  type Tracer,
} from '../../src/monitor/tracing.ts';
import { hostPorts } from '../../src/ports.ts';
import { Collector } from './collector.ts';

const make = createEventFactory({ source: 'shop', ports: hostPorts });
let collector: Collector;

beforeEach(async () => {
  collector = await Collector.listen();
});
afterEach(() => collector[Symbol.asyncDispose]());

/** Waits of no consequence are over at once; the order of all that happens is as it would be. */
const hurried = {
  ...hostPorts,
  after: (delayMs: number, callback: () => void) =>
    hostPorts.after(delayMs > 5_000 ? delayMs : 0, callback),
};

function tracerWith(options: Partial<OtlpTracerOptions> = {}): OtlpTracer {
  return new OtlpTracer({ url: collector.url, service: 'shop', ports: hurried, ...options });
}

/** A trace of two spans, of which the second fails. */
function order(tracer: Tracer): void {
  const event = make('order.placed', {}, { id: 'o-1', subject: 'order-1', timestamp: 0 });
  const capture = tracer.startSpan('capture order.placed', {
    kind: 'producer',
    startMs: 1_700_000_000_123,
    attributes: { ...eventAttributes(event), count: 3, share: 0.5, urgent: true },
  });
  const deliver = tracer.startSpan('deliver order.placed', {
    parent: capture.traceparent,
    kind: 'client',
    startMs: 1_700_000_000_200,
  });
  deliver.fail(new MillraceError('timeout', 'no answer', { what: 'the answer', timeoutMs: 5 }));
  deliver.end(1_700_000_000_900);
  capture.end(1_700_000_000_130);
}

/** What Protobuf's JSON leaves out where it is empty or zero, and what tells one run from another. */
function essence(request: string): unknown {
  const ids = new Map<string, string>();
  return JSON.parse(request, (key, value: unknown) => {
    if (key.endsWith('Id') && typeof value === 'string' && /^[0-9a-f]+$/.test(value)) {
      ids.set(value, ids.get(value) ?? `id ${ids.size}`);
      return ids.get(value);
    }
    if (key === 'intValue') return String(value);
    const empty = value === 0 || value === '' || (Array.isArray(value) && value.length === 0);
    return empty || key === 'schemaUrl' ? undefined : value;
  });
}

describe('over OTLP', () => {
  test('a trace is what OpenTelemetry’s SDK and serializer make of it', async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'shop' }),
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    });
    const trace = Object.assign(Object.create(api.trace) as typeof api.trace, {
      getTracer: (name: string) => provider.getTracer(name),
    });
    order(openTelemetryTracer({ context: api.context, trace }));
    await provider.forceFlush();
    const bytes = JsonTraceSerializer.serializeRequest(exporter.getFinishedSpans())!;
    const tracer = tracerWith();
    order(tracer);
    await tracer.dispose();
    const [request] = collector.requests;
    expect(request!.headers['content-type']).toBe('application/json');
    expect(essence(request!.body)).toEqual(essence(new TextDecoder().decode(bytes)));
    expect(collector.spans).toHaveLength(2);
  });

  test('a span is the child of its parent, and the context of what is done within it', async () => {
    const tracer = tracerWith();
    const parent = startTrace(hostPorts);
    const span = tracer.startSpan('accept order.placed', { parent });
    span.end();
    span.end();
    await tracer.dispose();
    const own = parseTraceparent(span.traceparent)!;
    const { traceId, spanId } = parseTraceparent(parent)!;
    expect(collector.spans).toMatchObject([{ traceId, spanId: own.spanId, parentSpanId: spanId }]);
    expect(own).toMatchObject({ traceId, sampled: true });
  });

  test('what is not sampled is not sent, and nor is what it causes', async () => {
    const tracer = tracerWith({ sample: () => false });
    const span = tracer.startSpan('capture order.placed');
    span.end();
    tracer.startSpan('accept order.placed', { parent: span.traceparent }).end();
    await tracer.dispose();
    expect(parseTraceparent(span.traceparent)?.sampled).toBe(false);
    expect(collector.requests).toEqual([]);
    expect(tracer.status()).toEqual({ waiting: 0, sent: 0, dropped: 0 });
  });

  const spans = (tracer: OtlpTracer, count: number): Span[] =>
    Array.from({ length: count }, (_, i) => tracer.startSpan(`span ${i}`));

  test('spans go in batches, when there are enough or their time is up', async () => {
    const tracer = tracerWith({ maxBatch: 4 });
    for (const span of spans(tracer, 10)) span.end();
    await tracer.flush();
    expect(collector.spans.map(({ name }) => name)).toEqual(
      spans(tracer, 10).map((_, i) => `span ${i}`),
    );
    expect(collector.requests).toHaveLength(3);
    spans(tracer, 1)[0]!.end();
    await expect.poll(() => tracer.status()).toEqual({ waiting: 0, sent: 11, dropped: 0 });
    await tracer.dispose();
  });

  test('it is bounded: what has no room is dropped and counted, and so is what comes after the end', async () => {
    const tracer = tracerWith({ maxSpans: 5, maxBatch: 2 });
    const { promise, resolve } = Promise.withResolvers<{ status: number }>();
    collector.answer = () => promise;
    for (const span of spans(tracer, 9)) span.end();
    expect(tracer.status()).toEqual({ waiting: 5, sent: 0, dropped: 4, lastError: 'no room is left' });
    resolve({ status: 200 });
    await tracer.dispose();
    expect(tracer.status()).toEqual({ waiting: 0, sent: 5, dropped: 4 });
    spans(tracer, 1)[0]!.end();
    expect(tracer.status().dropped).toBe(5);
  });

  test('a collector that cannot now is asked again, and one that refuses is not', async () => {
    let answers = 0;
    collector.answer = () =>
      answers++ < 2 ? { status: 503, headers: { 'retry-after': '0' } } : { status: 200, body: '{}' };
    const tracer = tracerWith();
    spans(tracer, 1)[0]!.end();
    await tracer.flush();
    expect([collector.requests.length, tracer.status().sent]).toEqual([3, 1]);
    collector.answer = () => ({ status: 400, body: 'no such tenant' });
    spans(tracer, 1)[0]!.end();
    await tracer.flush();
    expect(collector.requests).toHaveLength(4);
    expect(tracer.status()).toMatchObject({
      sent: 1,
      dropped: 1,
      lastError: 'the collector answered 400: no such tenant',
    });
    collector.answer = () => ({ status: 502 });
    spans(tracer, 1)[0]!.end();
    await tracer.dispose();
    expect([collector.requests.length, tracer.status().dropped]).toEqual([7, 2]);
  });

  test('what a collector takes in part, and one that is not there, are counted too', async () => {
    const tracer = tracerWith();
    const partialSuccess = { rejectedSpans: '2', errorMessage: 'too old' };
    collector.answer = () => ({ status: 200, body: JSON.stringify({ partialSuccess }) });
    for (const span of spans(tracer, 3)) span.end();
    await tracer.dispose();
    expect(tracer.status()).toMatchObject({ sent: 1, dropped: 2, lastError: 'too old' });
    const lost = tracerWith({ url: 'http://127.0.0.1:1/v1/traces' });
    spans(lost, 1)[0]!.end();
    await lost.dispose();
    expect(lost.status()).toMatchObject({ sent: 0, dropped: 1 });
    expect(lost.status().lastError).toContain('out of reach');
  });
});

describe('by the OpenTelemetry API', () => {
  test('without an SDK nothing is recorded, and the context is there all the same', () => {
    const tracer = openTelemetryTracer(api);
    const span = tracer.startSpan('capture order.placed');
    const parent = startTrace(hostPorts);
    const child = tracer.startSpan('accept order.placed', { parent });
    span.end();
    child.end();
    expect(parseTraceparent(span.traceparent)).toBeDefined();
    expect(parseTraceparent(child.traceparent)?.traceId).toBe(parseTraceparent(parent)?.traceId);
  });
});

describe('a task in a span', () => {
  test('ends it when it ends, and fails it when it fails', async () => {
    const tracer = tracerWith();
    expect(inSpan(tracer, 'now', {}, () => 7)).toBe(7);
    expect(await inSpan(tracer, 'later', {}, async () => 8)).toBe(8);
    const fails = (): never => {
      throw new RangeError('too much');
    };
    expect(() => inSpan(tracer, 'throws', {}, fails)).toThrow('too much');
    await expect(inSpan(tracer, 'rejects', {}, async () => fails())).rejects.toThrow('too much');
    await tracer.dispose();
    const seen = collector.spans.map(({ name, status, attributes }) => [name, status.code, attributes]);
    const failed = [{ key: 'error.type', value: { stringValue: 'RangeError' } }];
    expect(seen).toEqual([
      ['now', undefined, []],
      ['later', undefined, []],
      ['throws', 2, failed],
      ['rejects', 2, failed],
    ]);
  });
});

test('on a bus, a traced event’s handlers are a span, effects are of its trace, and failures are told', async () => {
  const tracer = tracerWith();
  const bus = new EventBus({ onError: () => undefined });
  bus.use(traceMiddleware(tracer));
  const effects: string[] = [];
  bus.subscribe('order.placed', async (event) => {
    await bus.publish(make('parcel.packed', {}, causedBy(event)));
  });
  bus.subscribe('parcel.packed', ({ traceparent }) => {
    effects.push(traceparent!);
    throw new Error('no boxes');
  });
  const event = make('order.placed', {}, { traceparent: startTrace(hostPorts) });
  await bus.publish(event);
  await bus.publish(make('order.placed', {}));
  await tracer.dispose();
  const { traceId, spanId } = parseTraceparent(event.traceparent)!;
  const byName = collector.spans.toSorted((a, b) => a.name.localeCompare(b.name));
  expect(byName).toMatchObject([
    { name: 'publish order.placed', traceId, parentSpanId: spanId, kind: 5 },
    { name: 'publish parcel.packed', traceId, status: { code: 2, message: 'no boxes' } },
  ]);
  expect(byName[1]!.parentSpanId).toBe(parseTraceparent(effects[0])!.spanId);
});
