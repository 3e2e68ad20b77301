/** Streams: what flows from a source through windows to an output, and what becomes of that which cannot. */
import { describe, expect, it, vi } from 'vitest';
import { invalidEvent, makeEvent, type Event } from '../../src/event/event.ts';
import { EventBus } from '../../src/bus/event-bus.ts';
import { PubSub } from '../../src/bus/pub-sub.ts';
import { hostPorts } from '../../src/ports.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { collect } from '../../src/windows/aggregations/collect.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import {
  toBus,
  toDocuments,
  toHandler,
  toLog,
  toStorage,
  toTopic,
} from '../../src/windows/streams/outputs.ts';
import { Flow } from '../../src/windows/streams/flow.ts';
import { viewLog } from '../../src/windows/streams/log-view.ts';
import type { FunnelCounts } from '../../src/windows/streams/funnel.ts';
import { fromBus, fromStore, fromTopic } from '../../src/windows/streams/sources.ts';
import { stream, type ResultFlow } from '../../src/windows/streams/stream.ts';
import type { StreamLate, StreamResult } from '../../src/windows/streams/stream-result.ts';
import { hopping, session, tumbling } from '../../src/windows/windows.ts';

const MINUTE = 60_000;
const BASE = 1_700_000_040_000;
const ports = { ...hostPorts, now: () => BASE + 3_600_000 };

let made = 0;
function order(minute: number, total: unknown, fields: Partial<Event> = {}): Event {
  return makeEvent({
    id: `e-${++made}`,
    type: 'order.placed',
    data: { total },
    timestamp: BASE + minute * MINUTE,
    source: 'till',
    priority: 2,
    ...fields,
  });
}

const orders = [order(0, 10), order(0.5, 2.5), order(1, 7, { source: 'web' }), order(3, 1)];

const nameOf = (result: unknown): unknown => (result as StreamResult | undefined)?.name;
const keyOf = (result: unknown): unknown => (result as StreamResult | undefined)?.key;

async function storeOf(events: readonly Event[]): Promise<EventStore> {
  const store = new EventStore(openMemory());
  await store.append(events);
  return store;
}

function sales(store: EventStore): ResultFlow<{ readonly orders: number; readonly total: number }> {
  return stream(fromStore(store, { types: ['order.placed'] }))
    .keyBy('source')
    .window(tumbling(MINUTE), { name: 'sales' })
    .aggregate({ orders: count(), total: sum('total') });
}

const expected = [
  ['till', 0, { orders: 2, total: 12.5 }],
  ['web', 1, { orders: 1, total: 7 }],
  ['till', 3, { orders: 1, total: 1 }],
];
const told = ({ key, window, value }: StreamResult): unknown => [
  key,
  (window.start - BASE) / MINUTE,
  value,
];

describe('a stream over a store', () => {
  it('hands each window’s result on once, over restarts, numbered without a gap', async () => {
    const store = await storeOf(orders.slice(0, 2));
    const results: StreamResult[] = [];
    const open = () =>
      sales(store)
        .output(toHandler((one) => results.push(one)))
        .open({ name: 'sales', ports });
    await open().catchUp();
    await store.append(orders.slice(2));
    await open().catchUp();
    const run = open();
    await run.catchUp();
    await run.finish();
    expect(results.map(told)).toEqual(expected);
    expect(results.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(run.size).toEqual({ keys: 0, rows: 0 });
  });

  it('revises a window of long ago', async () => {
    const store = await storeOf(orders);
    const results: StreamResult[] = [];
    const run = sales(store)
      .output(toHandler((one) => results.push(one)))
      .open({ name: 'sales', ports });
    await run.catchUp();
    await run.finish();
    await store.append(order(0.1, 100));
    await run.catchUp();
    expect(results.map(told)).toEqual([...expected, ['till', 0, { orders: 3, total: 112.5 }]]);
    expect(results.at(-1)).toMatchObject({ revision: 3, complete: true, sequence: 4 });
  });

  it('filters and maps', async () => {
    const store = await storeOf(orders);
    const results: StreamResult[] = [];
    const run = stream<Event<string, { readonly total: number }>>(fromStore(store))
      .filter(({ data }) => data.total > 2)
      .map((event) => ({ ...event, data: { cents: event.data.total * 100 } }))
      .window(tumbling(10 * MINUTE, { offsetMs: BASE % (10 * MINUTE) }))
      .aggregate(sum('cents'))
      .output(toHandler((one) => results.push(one)))
      .open({ name: 'cents', ports });
    await run.catchUp();
    await run.finish();
    expect(results.map(told)).toEqual([['', 0, 1950]]);
  });

  it('appends its results as events in its own log, and does not read them itself', async () => {
    const store = await storeOf(orders);
    const run = stream(fromStore(store))
      .keyBy('source')
      .window(tumbling(MINUTE), { name: 'sales' })
      .aggregate({ orders: count(), total: sum('total') })
      .output(
        toLog(({ key, value, window }) => ({
          type: 'sales.counted',
          data: value,
          subject: key,
          timestamp: window.start,
        })),
      )
      .open({ name: 'sales', ports });
    await run.catchUp();
    await run.finish();
    await run.catchUp();
    const events = await store.getByType('sales.counted');
    expect(
      events
        .map(({ event }) => [event.subject, (event.timestamp - BASE) / MINUTE, event.data])
        .toReversed(),
    ).toEqual(expected);
    expect(run.counts.events).toBe(orders.length);
  });

  it('keeps documents, and removes what is taken back', async () => {
    const store = await storeOf([order(0, 1), order(20, 1)]);
    const run = stream(fromStore(store))
      .window(session(15 * MINUTE), { name: 'visits' })
      .aggregate(count())
      .output(toDocuments('visits'))
      .open({ name: 'visits', ports });
    const read = async () =>
      (await store.storage.list('visits/')).map(([, value]) => (value as { value: number }).value);
    await run.catchUp();
    await run.finish();
    expect(await read()).toEqual([1, 1]);
    await store.append(order(10, 1));
    await run.catchUp();
    expect(await read()).toEqual([3]);
  });

  it('appends more events than one commit takes in their order, each once', async () => {
    const events = Array.from({ length: 6_000 }, (_, i) => order(0, 1, { subject: `s-${i}` }));
    const store = await storeOf(events);
    const counted = ({ sequence }: StreamResult) => ({ type: 'sale.counted', data: sequence });
    const run = stream(fromStore(store, { types: ['order.placed'] }))
      .keyBy('subject')
      .window(tumbling(MINUTE))
      .aggregate(count())
      // One makes two events, which have no room where the one of the next would have.
      .output(toLog((one) => (one.sequence === 5_000 ? [counted(one), counted(one)] : counted(one))))
      .open({ name: 'sales', ports });
    await run.catchUp();
    await run.finish();
    const numbers: unknown[] = [];
    for await (const { event } of store.events({ types: ['sale.counted'], limit: 1000 }))
      numbers.push(event.data);
    const once = Array.from({ length: 6_000 }, (_, i) => i + 1);
    expect(numbers).toEqual(once.toSpliced(5_000, 0, 5_000));
  });

  it('keeps totals as long as their windows', async () => {
    const store = await storeOf([order(0, 1), order(1, 1), order(9, 1), order(20, 1)]);
    const steps = [
      { name: 'ordered', when: 'order.placed' },
      { name: 'paid', when: 'order.paid' },
    ];
    const kept = async (name: string, retainMs: number | undefined): Promise<number> => {
      const flow = stream(fromStore(store)).keyBy('source').window(tumbling(MINUTE));
      const run = flow
        .funnel({ steps, withinMs: MINUTE })
        .open({ name, ports, retainMs, batchEvents: 1 });
      await run.catchUp();
      await run.catchUp();
      return (await store.storage.list(`stream/${name}/total/`)).length;
    };
    expect(await kept('for-ever', undefined)).toBe(3);
    expect(await kept('for-a-while', 12 * MINUTE)).toBe(1);
  });

  it('hands what is later than allowed to a side output', async () => {
    const store = await storeOf([...orders, order(0.2, 5)]);
    const late: StreamLate[] = [];
    const run = stream(fromStore(store))
      .keyBy('source')
      .window(tumbling(MINUTE), { name: 'sales', allowedLatenessMs: 1_000 })
      .aggregate(count())
      .outputLate(toHandler((one: StreamLate) => late.push(one)))
      .open({ name: 'sales', ports, source: () => '' });
    await run.catchUp();
    expect(late.map(({ event, name, sequence }) => [event.data, name, sequence])).toEqual([
      [{ total: 5 }, 'sales', 1],
    ]);
    expect(run.counts.late).toBe(1);
  });

  it('is told when another of its name has stored the same results, or those numbers, before', async () => {
    const { storage } = viewLog(await storeOf([]), new Flow([[]]), () => false);
    const commit = async (data: string) => {
      const events = [order(0, data, { id: 'stream/sales/output-1/1/0' })];
      const [result] = await storage.commit([{ events, advance: [{ id: 'sales', epoch: 1, seq: 1 }] }]);
      return result;
    };
    const gap = { ok: false, error: expect.objectContaining({ code: 'producer.gap' }) };
    expect(await commit('one')).toMatchObject({ ok: true });
    expect(await commit('one')).toMatchObject(gap);
    expect(await commit('two')).toMatchObject(gap);
  });

  it('follows the log once it has started, until it is stopped', async () => {
    const store = await storeOf([]);
    const results: StreamResult[] = [];
    const run = sales(store)
      .output(toHandler((one) => results.push(one)))
      .open({ name: 'sales', ports, source: () => '' });
    const stop = run.start();
    await store.append(orders);
    await vi.waitFor(() => expect(results.length).toBe(2));
    stop();
    await store.append(order(9, 1));
    await run.finish();
    expect(results.map(told)).toEqual(expected);
  });
});

describe('what a stream cannot take is a dead letter, and the stream goes on', () => {
  const failing = [
    order(0, 1),
    order(0, 'much', { id: 'no-number' }),
    order(0, 2, { id: 'bad' }),
    order(0, 3),
  ];
  const isBad = ({ id }: Event): boolean => id === 'bad';
  const broken = (): never => {
    throw new Error('broken');
  };

  it.each([
    [
      'filter',
      (store: EventStore) => stream(fromStore(store)).filter((one) => (isBad(one) ? broken() : true)),
    ],
    ['map', (store: EventStore) => stream(fromStore(store)).map((one) => (isBad(one) ? broken() : one))],
    [
      'window',
      (store: EventStore) =>
        stream(fromStore(store)).map((one) => (isBad(one) ? { ...one, timestamp: NaN } : one)),
    ],
  ])('in a %s, or where there is no number to sum', async (handler, flow) => {
    const store = await storeOf(failing);
    const values: unknown[] = [];
    const run = flow(store)
      .window(tumbling(MINUTE))
      .aggregate(sum('total'))
      .output(toHandler(({ value }) => values.push(value)))
      .open({ name: 'sums', ports });
    await run.catchUp();
    await run.finish();
    expect(values).toEqual([4]);
    const letters = await run.deadLetters.list();
    expect(
      letters.map(({ event, where, position }) => [event?.id, where.detail, position]).toSorted(),
    ).toEqual(
      [
        ['bad', handler, 3],
        ['no-number', 'window', 2],
      ].toSorted(),
    );
    expect(letters.find(({ event }) => event?.id === 'no-number')).toMatchObject({
      where: { part: 'stream', name: 'sums' },
      reason: { code: 'value.invalid', message: expect.stringContaining('total') },
      firstAt: ports.now(),
    });
    expect(await run.deadLetters.drop(letters.map(({ id }) => id))).toBe(2);
    expect(await run.deadLetters.list()).toEqual([]);
  });

  it('where a store cannot read it as today’s', async () => {
    const { storage } = await storeOf(orders);
    const upcast = (data: { readonly total: number }) => (data.total === 7 ? broken() : { total: 1 });
    const store = new EventStore(storage, { upcasters: [{ type: 'order.placed', version: 1, upcast }] });
    const values: unknown[] = [];
    const run = stream(fromStore(store))
      .window(tumbling(60 * MINUTE))
      .aggregate({ total: sum('total'), types: collect(({ type }) => type) })
      .output(toHandler(({ value }) => values.push(value)))
      .open({ name: 'sales', ports });
    await run.catchUp();
    await run.finish();
    const types = Array(3).fill('order.placed.v2');
    expect(values).toEqual([{ total: 3, types: { values: types, cut: 0 } }]);
    expect(
      (await run.deadLetters.list()).map(({ where, reason, position }) => [
        where.detail,
        reason.code,
        position,
      ]),
    ).toEqual([['source', 'upcast.failed', 3]]);
  });

  it('in an output, which is tried again as often as it says', async () => {
    const store = await storeOf(orders);
    const tried: string[] = [];
    const others: StreamResult[] = [];
    const run = sales(store)
      .output(
        toHandler(
          ({ key }) => {
            tried.push(key);
            if (key === 'web') broken();
          },
          { name: 'mail', retry: { count: 2, firstMs: 1 } },
        ),
      )
      .output(toHandler((one) => others.push(one)))
      .output(
        toLog(({ key }) => (key === 'web' ? broken() : { type: 'a.b', data: null }), { name: 'log' }),
      )
      .output(toLog(() => ({ type: '', data: null }), { name: 'bad-events' }))
      .open({ name: 'sales', ports });
    await run.catchUp();
    await run.finish();
    expect(tried).toEqual(['till', 'web', 'web', 'web', 'till']);
    expect(others.length).toBe(3);
    const letters = await run.deadLetters.list();
    expect(
      letters.map(({ where, attempts, result }) => [where.detail, attempts, keyOf(result)]),
    ).toEqual([
      ['output bad-events', 1, 'till'],
      ['output bad-events', 1, 'web'],
      ['output bad-events', 1, 'till'],
      ['output log', 1, 'web'],
      ['output mail', 3, 'web'],
    ]);
    expect((await store.getByType('a.b')).length).toBe(2);
  });

  it('in an aggregation’s result, or one that is no JSON', async () => {
    const store = await storeOf(orders);
    const results: StreamResult[] = [];
    const run = stream(fromStore(store))
      .keyBy('source')
      .window(tumbling(MINUTE), { name: 'own' })
      .aggregate({
        initial: () => 0,
        add: (state: number) => state + 1,
        merge: (left: number, right: number) => left + right,
        result: (state: number) => (state > 1 ? broken() : state),
      })
      .window(tumbling(MINUTE), { name: 'infinite' })
      .aggregate(sum(() => Number.MAX_VALUE))
      .output(toHandler((one) => results.push(one)))
      .open({ name: 'own', ports });
    await run.catchUp();
    await run.finish();
    expect(results.length).toBe(4);
    const letters = await run.deadLetters.list();
    expect(letters.map(({ where, result }) => [where.detail, nameOf(result), keyOf(result)])).toEqual([
      ['result', 'infinite', 'till'],
      ['result', 'own', 'till'],
    ]);
  });

  it('where the store refuses what is appended', async () => {
    const { storage } = await storeOf(orders);
    const check = (_type: string, data: unknown): unknown => {
      if (data === 'web') throw invalidEvent('/data', data, 'must not be from the web');
      return data;
    };
    const store = new EventStore(storage, { catalogue: { personal: [], check } });
    const run = sales(store)
      .output(toLog(({ key }) => ({ type: 'sale.counted', data: key })))
      .open({ name: 'sales', ports });
    await run.catchUp();
    await run.finish();
    const stored = await store.getByType('sale.counted');
    expect(stored.map(({ event }) => event.data)).toEqual(['till', 'till']);
    expect(
      (await run.deadLetters.list()).map(({ reason, result }) => [reason.code, keyOf(result)]),
    ).toEqual([['event.invalid', 'web']]);
  });
});

describe('a stream into another storage', () => {
  it('stores each result once, though the far side’s answer is lost', async () => {
    const store = await storeOf(orders);
    const far = openMemory();
    let fails = true;
    const flaky: Storage = Object.assign(Object.create(far) as Storage, {
      producer: (id: string) => far.producer(id),
      async commit(batch: Parameters<Storage['commit']>[0]) {
        const results = await far.commit(batch);
        fails = !fails;
        if (!fails) throw new Error('lost');
        return results;
      },
    });
    const run = sales(store)
      .output(
        toStorage(flaky, ({ key, value }) => ({
          events: [
            { type: 'sale.counted', data: value, subject: key },
            { type: 'sale.told', data: null },
          ],
        })),
      )
      .open({ name: 'sales', ports });
    await run.catchUp().catch(() => undefined);
    await run.finish().catch(() => undefined);
    for (let i = 0; i < 10; i++) await run.catchUp().catch(() => undefined);
    await run.catchUp();
    const { events } = await far.read({ types: ['sale.counted'] });
    expect(events.map(({ event }) => event.subject)).toEqual(['till', 'web', 'till']);
    expect(await run.deadLetters.list()).toEqual([]);
  });
});

describe('a live stream', () => {
  it('hears a bus, and publishes what comes of it', async () => {
    const bus = new EventBus();
    const heard: Event[] = [];
    bus.subscribe('sale.*', (event) => heard.push(event));
    const run = stream(fromBus(bus, 'order.*'))
      .keyBy('source')
      .window(tumbling(MINUTE), { name: 'sales' })
      .aggregate({ orders: count(), total: sum('total') })
      .output(toBus(bus, ({ key, value }) => ({ type: 'sale.counted', data: value, subject: key })))
      .open({ name: 'sales', ports });
    const stop = run.start();
    for (const event of [...orders, order(3, 'much')]) await bus.publish(event);
    stop();
    await bus.publish(order(3, 1000));
    await run.finish();
    expect(heard.map(({ subject, data }) => [subject, data])).toEqual(
      expected.map(([key, , value]) => [key, value]),
    );
    expect(run.size).toEqual({ keys: 0, rows: 0 });
    expect(
      (await run.deadLetters.list()).map(({ where, reason }) => [where.detail, reason.code]),
    ).toEqual([['window', 'value.invalid']]);
  });

  it('holds the publisher while more wait than its capacity', async () => {
    const bus = new EventBus();
    const run = stream(fromBus(bus))
      .window(tumbling(MINUTE))
      .aggregate(count())
      .open({ name: 'sales', ports, capacity: 2 });
    const stop = run.start();
    expect(bus.publish(orders[0]!)).not.toBeInstanceOf(Promise);
    const waits = bus.publish(orders[1]!);
    expect(waits).toBeInstanceOf(Promise);
    await waits;
    await run.finish();
    expect(run.counts.events).toBe(2);
    stop();
  });

  it('has totals over all keys, and forgets them with their windows', async () => {
    const bus = new EventBus();
    const results: StreamResult<FunnelCounts>[] = [];
    const run = stream(fromBus(bus))
      .keyBy('source')
      .window(tumbling(MINUTE), { trigger: { on: 'change' } })
      .funnel({
        steps: [
          { name: 'ordered', when: 'order.placed' },
          { name: 'paid', when: 'order.paid' },
        ],
        withinMs: MINUTE,
      })
      .output(toHandler((one: StreamResult<FunnelCounts>) => results.push(one)))
      .open({ name: 'funnel', ports });
    const stop = run.start();
    const paid = order(0.6, 1, { type: 'order.paid' });
    for (const event of [order(0, 1), order(0.1, 1, { source: 'web' }), paid]) {
      await bus.publish(event);
      await run.catchUp();
    }
    await run.finish();
    stop();
    const told = results.map(({ value, revision, complete }) => [value?.conversion, revision, complete]);
    expect(told).toEqual([
      [0, 1, false],
      [0, 2, false],
      [0.5, 3, false],
      [0.5, 3, true],
    ]);
  });

  it('tells topics, and tells apart what it tells', async () => {
    const [bus, topics] = [new EventBus(), new PubSub()];
    const heard: Event[] = [];
    topics.subscribe('sales.#', (event) => heard.push(event));
    topics.start();
    const run = stream(fromBus(bus))
      .keyBy('source')
      .window(tumbling(MINUTE))
      .aggregate(count())
      .output(toTopic(topics, 'sales.counted', ({ value }) => ({ type: 'sale.counted', data: value })))
      .open({ name: 'sales', ports });
    const stop = run.start();
    await bus.publishAll(orders);
    await run.finish();
    stop();
    await topics.stop();
    expect(heard.map(({ data }) => data)).toEqual([2, 1, 1]);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(3);
  });

  it('hears topics', async () => {
    const topics = new PubSub();
    const results: StreamResult[] = [];
    const run = stream(fromTopic(topics, 'shop.#'))
      .keyBy('source')
      .window(tumbling(MINUTE))
      .aggregate({ orders: count(), total: sum('total') })
      .output(toHandler((one) => results.push(one)))
      .open({ name: 'sales', ports });
    const stop = run.start();
    topics.start();
    for (const event of orders) await topics.publish('shop.orders', event);
    await topics.stop();
    stop();
    await run.finish();
    expect(results.map(told)).toEqual(expected);
  });
});

describe('a definition that cannot be is refused', () => {
  const flow = stream(fromBus(new EventBus()));
  const refused = { code: 'query.invalid' };

  it.each([
    ['a size of zero', () => flow.window(tumbling(0))],
    ['a slide greater than the size', () => flow.window(hopping(1000, 2000))],
    ['a session without a gap', () => flow.window({ kind: 'session', gapMs: 0 })],
    [
      'a name twice',
      () =>
        flow.window(tumbling(1), { name: 'a' }).aggregate(count()).window(tumbling(1), { name: 'a' }),
    ],
    ['no aggregation', () => flow.window(tumbling(1)).aggregate({})],
    ['an unknown key', () => flow.keyBy('data' as 'type')],
    [
      'a total of sessions',
      () =>
        flow
          .window(session(1))
          .aggregate(count())
          .total({ initial: () => 0, add: (a) => a, subtract: (a) => a, result: (a) => a }),
    ],
    [
      'a log’s output without a log',
      () =>
        flow.window(tumbling(1)).aggregate(count()).output(toDocuments('a')).open({ name: 'a', ports }),
    ],
    [
      'a store and a bus at once',
      () =>
        flow
          .keyBy('id')
          .join(stream(fromStore(new EventStore(openMemory()))).keyBy('id'))
          .window(tumbling(1))
          .open({ name: 'a', ports }),
    ],
    [
      'two stores at once',
      () => {
        const side = () => stream(fromStore(new EventStore(openMemory()))).keyBy('id');
        side().join(side()).window(tumbling(1)).open({ name: 'a', ports });
      },
    ],
    [
      'a funnel of one step',
      () => flow.window(tumbling(1)).funnel({ steps: [{ name: 'a', when: 'a.b' }], withinMs: 1 }),
    ],
    [
      'a name that is none',
      () => flow.window(tumbling(1)).aggregate(count()).open({ name: 'A b', ports }),
    ],
    ['a handler that is none', () => toHandler('x' as never)],
  ])('%s', (_what, define) => {
    expect(define).toThrow(expect.objectContaining(refused));
  });
});
