/** A service's part of a trace, as a collector has it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { parseTraceparent, startTrace } from '../../src/event/trace-context.ts';
import { OtlpTracer } from '../../src/monitor/otlp.ts';
import { hostPorts } from '../../src/ports.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { startProcess, SUBSCRIPTION } from '../property/service-world.ts';
import { Collector } from './collector.ts';

let collector: Collector;
let tracer: OtlpTracer;

beforeEach(async () => {
  collector = await Collector.listen();
  tracer = new OtlpTracer({ url: collector.url, service: 'stock' });
});
afterEach(() => collector[Symbol.asyncDispose]());

const placed = (traceparent?: string): Event =>
  makeEvent({
    ...{ id: 'e-1', type: 'order.placed', source: 'shop', priority: 2, timestamp: 0, data: 1 },
    ...{ subject: 'o-1', traceparent },
  });

/** Delivers the event to two handlers, `first` and `second`, until each has run or was given up on. */
async function deliver(event: Event, { failures = 0 } = {}) {
  const storage = openMemory();
  const fails = (_: Event, name: string, attempt: number) => name === 'second' && attempt <= failures;
  const process = startProcess(storage, ['first', 'second'], fails, 3, tracer);
  const delivery = { subscription: SUBSCRIPTION, sequence: 1, events: [event] };
  while ((await process.take(delivery)) === 'failed');
  await tracer.dispose();
  const { events } = await storage.read({});
  return events.map((stored) => stored.event);
}

/** What each span says, in the order of their ends. */
const told = () =>
  collector.spans.map(({ name, attributes, status }) => {
    const value = (key: string) => attributes.find((one) => one.key === key)?.value;
    return [name, value('millrace.handler'), value('millrace.attempt'), status?.message];
  });

describe('a service with a tracer', () => {
  test('has a span for each attempt of a handler, and what that publishes is made within it', async () => {
    const traceparent = startTrace(hostPorts);
    const published = await deliver(placed(traceparent));
    expect(told()).toEqual([
      ['handle order.placed', { stringValue: 'first' }, { intValue: '1' }, undefined],
      ['handle order.placed', { stringValue: 'second' }, { intValue: '1' }, undefined],
    ]);
    const { traceId, spanId } = parseTraceparent(traceparent)!;
    const parents = collector.spans.map((span) => [span.traceId, span.parentSpanId]);
    expect(parents).toEqual([1, 2].map(() => [traceId, spanId]));
    expect(published.map(({ traceparent: own }) => parseTraceparent(own)?.spanId)).toEqual(
      collector.spans.map((span) => span.spanId),
    );
  });

  test('tells of each attempt that failed, and of why', async () => {
    const published = await deliver(placed(startTrace(hostPorts)), { failures: 2 });
    expect(told()).toEqual([
      ['handle order.placed', { stringValue: 'first' }, { intValue: '1' }, undefined],
      ['handle order.placed', { stringValue: 'second' }, { intValue: '1' }, 'not e-1'],
      ['handle order.placed', { stringValue: 'second' }, { intValue: '2' }, 'not e-1'],
      ['handle order.placed', { stringValue: 'second' }, { intValue: '3' }, undefined],
    ]);
    // Of those that failed nothing was committed.
    expect(published.map(({ traceparent }) => parseTraceparent(traceparent)?.spanId)).toEqual(
      [0, 3].map((index) => collector.spans[index]!.spanId),
    );
  });

  test.each([
    ['that has none', undefined],
    ['that is not recorded', startTrace(hostPorts, { sampled: false })],
  ])('passes a trace %s on as it is', async (_, traceparent) => {
    const published = await deliver(placed(traceparent));
    expect(published.map((event) => event.traceparent)).toEqual([traceparent, traceparent]);
    expect(collector.requests).toEqual([]);
  });
});
