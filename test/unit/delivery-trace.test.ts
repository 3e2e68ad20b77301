/** The trace of an attempt: its span, and the header that its receiver goes on by. */
import { describe, expect, test } from 'vitest';
import { createEventFactory } from '../../src/event/factory.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { parseTraceparent, startTrace } from '../../src/event/trace-context.ts';
import { OtlpTracer } from '../../src/monitor/otlp.ts';
import { hostPorts } from '../../src/ports.ts';
import { traceDelivery } from '../../workers/edge/delivery/delivery-trace.ts';
import { readHeaders } from '../../workers/edge/collector-headers.ts';
import { Collector } from './collector.ts';
import { Receiver } from './delivery-receiver.ts';
import { Shop } from './delivery-shop.ts';

const make = createEventFactory({ source: 'shop', ports: hostPorts });
const line = (traceparent?: string): string => encodeLine(make('order.placed', {}, { traceparent }));
const attempt = { id: 'sub_1_7', url: 'https://shop.example.com/hook', before: 1 };
const [one, other] = [startTrace(hostPorts), startTrace(hostPorts)];

describe('without anybody who records', () => {
  test('an attempt passes the event’s context on', () => {
    expect(traceDelivery({ ...attempt, lines: [line(one)] }, undefined).headers).toEqual({
      traceparent: one,
    });
    expect(traceDelivery({ ...attempt, lines: [line()] }, undefined).headers).toEqual({});
  });

  test('events that go together are one trace, or none', () => {
    const headers = (...lines: readonly string[]) =>
      traceDelivery({ ...attempt, lines }, undefined).headers;
    expect(headers(line(one), line(one))).toEqual({ traceparent: one });
    expect(headers(line(one), line(other))).toEqual({});
    expect(headers(line(one), line())).toEqual({});
    expect(headers(line(), line(one))).toEqual({});
  });
});

test('each attempt is a span of its own, which fails where the endpoint does', async () => {
  await using collector = await Collector.listen();
  const tracer = new OtlpTracer({ url: collector.url, service: 'millrace-edge' });
  const unsampled = startTrace(hostPorts, { sampled: false });
  for (const [traceparent, answer] of [
    [one, { status: 204 }],
    [one, { status: 503 }],
    [one, { error: 'no answer within 15000 ms' }],
    [unsampled, { status: 204 }],
  ] as const) {
    const trace = traceDelivery({ ...attempt, lines: [line(traceparent)] }, tracer);
    const { traceId } = parseTraceparent(traceparent)!;
    expect(parseTraceparent(trace.headers['traceparent'])?.traceId).toBe(traceId);
    trace.end({ latencyMs: 1, ...answer });
  }
  await tracer.dispose();
  const { traceId, spanId } = parseTraceparent(one)!;
  expect(collector.spans).toMatchObject([
    { name: 'deliver order.placed', traceId, parentSpanId: spanId, kind: 3, status: {} },
    { traceId, parentSpanId: spanId, status: { code: 2, message: 'the endpoint answered 503' } },
    { traceId, parentSpanId: spanId, status: { code: 2, message: 'no answer within 15000 ms' } },
  ]);
});

test('a delivery says its trace in its header and in its event', async () => {
  await using receiver = await Receiver.listen();
  const shop = new Shop(receiver, {});
  await shop.publish(1, { traceparent: one });
  await shop.settle();
  expect(receiver.accepted[0]).toMatchObject({ headers: { traceparent: one } });
  expect(JSON.parse(receiver.accepted[0]!.body)).toMatchObject({ traceparent: one });
  expect(receiver.forged).toEqual([]);
});

test('the collector’s headers are read as OpenTelemetry’s environment has them', () => {
  expect(readHeaders('')).toEqual({});
  expect(readHeaders('Api-Key=a%20b, x = c=d ,junk')).toEqual({ 'api-key': 'a b', x: 'c=d' });
});
