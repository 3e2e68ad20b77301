/** The specification's stream processor: named windows, processors and outputs. */
import { describe, expect, it } from 'vitest';
import { EventBus } from '../../src/bus/event-bus.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { hostPorts } from '../../src/ports.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { fromBus } from '../../src/windows/streams/sources.ts';
import {
  createAggregationProcessor,
  StreamProcessor,
} from '../../src/windows/streams/stream-processor.ts';
import { session, tumbling } from '../../src/windows/windows.ts';

const BASE = 1_700_000_040_000;
const ports = { ...hostPorts, now: () => BASE + 3_600_000 };
const options = { name: 'shop', ports };

const placed = [10, 2.5, undefined, 30].map((total, i) =>
  makeEvent({
    id: `e-${i}`,
    type: 'order.placed',
    data: total === undefined ? {} : { total },
    timestamp: BASE + i * 20_000,
    source: i === 3 ? 'web' : 'till',
    priority: 2,
  }),
);

async function resultsOf(processor: StreamProcessor, events: readonly Event[] = placed) {
  const results: unknown[] = [];
  const bus = new EventBus();
  const run = processor
    .addOutput('list', ({ name, key, value }) => results.push([name, key, value]))
    .open(fromBus(bus), options);
  const stop = run.start();
  for (const event of events) await bus.publish(event);
  await run.finish();
  stop();
  return { results, letters: await run.deadLetters.list() };
}

describe('a stream processor', () => {
  it.each([
    ['sum', 12.5, 30],
    ['avg', 6.25, 30],
    ['min', 2.5, 30],
    ['max', 10, 30],
    ['count', 2, 1],
  ] as const)('has the %s of a field, and how many had it', async (operation, first, second) => {
    const processor = new StreamProcessor()
      .addWindow('minute', tumbling(60_000, { offsetMs: BASE % 60_000 }))
      .addProcessor('sales', createAggregationProcessor('total', operation));
    expect((await resultsOf(processor)).results).toEqual([
      ['minute.sales', '', { total: first, count: 2 }],
      ['minute.sales', '', { total: second, count: 1 }],
    ]);
  });

  it('has null where no event has the field', async () => {
    const processor = new StreamProcessor()
      .addWindow('minute', tumbling(60_000))
      .addProcessor('weights', createAggregationProcessor('weight', 'avg'));
    const { results } = await resultsOf(processor, placed.slice(0, 1));
    expect(results).toEqual([['minute.weights', '', { weight: null, count: 0 }]]);
  });

  it('runs every processor over every window, by key', async () => {
    const processor = new StreamProcessor({ key: 'source' })
      .addWindow('hour', tumbling(3_600_000))
      .addWindow('visit', session(60_000))
      .addProcessor('orders', count())
      .addProcessor('ids', (events) => events.map(({ id }) => id));
    const { results } = await resultsOf(processor);
    expect(results.toSorted()).toEqual(
      [
        ['hour.orders', 'till', 3],
        ['hour.orders', 'web', 1],
        ['hour.ids', 'till', ['e-0', 'e-1', 'e-2']],
        ['hour.ids', 'web', ['e-3']],
        ['visit.orders', 'till', 3],
        ['visit.orders', 'web', 1],
        ['visit.ids', 'till', ['e-0', 'e-1', 'e-2']],
        ['visit.ids', 'web', ['e-3']],
      ].toSorted(),
    );
  });

  it('goes on with the others where one processor, or one output, throws', async () => {
    const processor = new StreamProcessor()
      .addWindow('hour', tumbling(3_600_000))
      .addProcessor('broken', () => {
        throw new Error('broken');
      })
      .addProcessor('orders', count())
      .addOutput('mail', () => {
        throw new Error('no mail');
      });
    const { results, letters } = await resultsOf(processor);
    expect(results).toEqual([['hour.orders', '', 4]]);
    expect(
      letters.map(({ where, reason, result }) => [
        where.detail,
        reason.message,
        (result as { name?: string } | undefined)?.name,
      ]),
    ).toEqual([
      ['output mail', 'no mail', 'hour.orders'],
      ['result', 'broken', 'hour.broken'],
    ]);
  });

  it.each([
    ['an unknown operation', () => createAggregationProcessor('total', 'median' as 'sum')],
    ['an empty field', () => createAggregationProcessor('', 'sum')],
    [
      'a name twice',
      () => new StreamProcessor().addWindow('a', tumbling(1)).addWindow('a', tumbling(2)),
    ],
    ['a name that is none', () => new StreamProcessor().addWindow('A.b', tumbling(1))],
    ['a processor that is none', () => new StreamProcessor().addProcessor('a', 7 as never)],
    [
      'no window',
      () => new StreamProcessor().addProcessor('a', count()).open(fromBus(new EventBus()), options),
    ],
    ['an absurd window', () => new StreamProcessor().addWindow('a', { kind: 'tumbling', sizeMs: 0 })],
  ])('refuses %s', (_what, define) => {
    expect(define).toThrow(expect.objectContaining({ code: 'query.invalid' }));
  });
});
