/** The registry, what watches a program's parts, and what they say: as an object, as text, as events. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chooseFormat,
  createEventFactory,
  decodeLine,
  encodeLine,
  EventBus,
  EventRouter,
  formatOpenMetrics,
  formatPrometheus,
  groupCommits,
  Histogram,
  hostPorts,
  metricEvents,
  MetricBuilder,
  metricLimits,
  MetricRegistry,
  Monitor,
  openMemory,
  PubSub,
  quantileOf,
  reportMetrics,
  tumbling,
  WindowOperator,
  count,
  type Event,
  type MetricFamily,
  type MetricsReported,
} from '../../src/index.ts';

const event = createEventFactory({ source: 'till', ports: hostPorts });
const quiet = { onError: () => undefined };

/** Of one metric: labels as `a=b`, joined, and the value; of a histogram its count. */
function valuesOf(families: readonly MetricFamily[], name: string): Record<string, number> {
  const samples = families.find((family) => family.name === name)?.samples ?? [];
  return Object.fromEntries(
    samples.map(({ labels, value, histogram }) => [
      Object.entries(labels)
        .map(([label, text]) => `${label}=${text}`)
        .join(),
      histogram === undefined ? value! : histogram.counts.reduce((a, b) => a + b, 0),
    ]),
  );
}

const throwsQuery = (run: () => unknown): void =>
  expect(run).toThrow(expect.objectContaining({ code: 'query.invalid' }));

describe('a registry', () => {
  it('reads counters, gauges and histograms, of one series or of many', async () => {
    const registry = new MetricRegistry();
    const orders = registry.counter('shop_orders_total', 'Orders.', ['currency']);
    orders.of('EUR').add();
    orders.of('EUR').add(2);
    orders.of('USD').add();
    orders.of('USD').add(-1);
    registry.gauge('shop_carts', 'Open carts.').of().set(7);
    registry.histogram('shop_seconds', 'Times.', { first: 1, count: 3 }).of().observe(2.5);
    const families = await registry.read();
    expect(valuesOf(families, 'shop_orders_total')).toEqual({ 'currency=EUR': 3, 'currency=USD': 1 });
    expect(valuesOf(families, 'shop_carts')).toEqual({ '': 7 });
    expect(families.find(({ name }) => name === 'shop_seconds')?.samples).toEqual([
      { labels: {}, histogram: { bounds: [1, 2, 4], counts: [0, 0, 1, 0], sum: 2.5 } },
    ]);
  });

  it('keeps a bounded number of series, and loses no count beyond it', async () => {
    const registry = new MetricRegistry();
    const family = registry.counter('a_total', 'A.', ['type']);
    const types = metricLimits.series + 50;
    for (let i = 0; i < types; i++) family.of(`t${i}`).add();
    const values = valuesOf(await registry.read(), 'a_total');
    expect(Object.keys(values)).toHaveLength(metricLimits.series + 1);
    expect(values['type=other']).toBe(50);
    expect(Object.values(values).reduce((a, b) => a + b, 0)).toBe(types);
  });

  it('bounds what one source says, too, and adds up what is of the same labels', () => {
    const builder = new MetricBuilder(2);
    for (const type of ['a', 'b', 'c', 'd', 'a']) builder.counter('b_total', 'B.', 1, { type });
    expect(valuesOf(builder.families(), 'b_total')).toEqual({
      'type=a': 2,
      'type=b': 1,
      'type=other': 2,
    });
    const long = new MetricBuilder().gauge('c', 'C.', 1, { type: 'x'.repeat(1_000) }).families();
    expect(long[0]!.samples[0]!.labels['type']).toHaveLength(metricLimits.labelValue);
  });

  it('reads what it can where a source fails, and counts the failure', async () => {
    const registry = new MetricRegistry();
    registry.collect(() => {
      throw new Error('no');
    });
    registry.collect(() => Promise.reject(new Error('no')));
    registry.counter('a_total', 'A.').of().add();
    const families = await registry.read();
    expect(valuesOf(families, 'a_total')).toEqual({ '': 1 });
    expect(valuesOf(families, 'millrace_monitor_failures_total')).toEqual({ '': 2 });
  });

  it('refuses names that Prometheus would not take, and names that are taken', () => {
    const registry = new MetricRegistry();
    registry.gauge('taken', '');
    throwsQuery(() => registry.gauge('taken', ''));
    throwsQuery(() => registry.gauge('a-b', ''));
    throwsQuery(() => registry.counter('orders', ''));
    throwsQuery(() => registry.gauge('orders_total', ''));
    throwsQuery(() => registry.gauge('a', '', ['le']));
    throwsQuery(() => registry.gauge('b', '', ['__x']));
    throwsQuery(() => registry.gauge('c', '', ['x']).of());
    throwsQuery(() => new Histogram({ first: 0, count: 3 }));
    throwsQuery(() => new Histogram({ first: 1, count: 33 }));
  });
});

describe('a histogram', () => {
  it('counts each value in the first bucket whose bound is not below it', () => {
    const first = fc.oneof(
      fc.constantFrom(1e-3, 1e-6, 0.1, 1, 7, 2 - 2 ** -52),
      fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
    );
    const bound = (from: number) => (n: number) => from * 2 ** n;
    const cases = first.chain((from) =>
      fc.record({
        from: fc.constant(from),
        values: fc.array(
          fc.oneof(
            fc.double({ min: 0, max: from * 2 ** 20, noNaN: true }),
            fc.integer({ min: 0, max: 40 }).map(bound(from)),
            fc.integer({ min: 0, max: 40 }).map((n) => bound(from)(n) * (1 + 2 ** -52)),
          ),
        ),
      }),
    );
    fc.assert(
      fc.property(cases, ({ from, values }) => {
        const histogram = new Histogram({ first: from, count: 27 });
        for (const one of values) histogram.observe(one);
        const { bounds, counts, sum } = histogram.read();
        const expected = counts.map(() => 0);
        for (const one of values) {
          const at = bounds.findIndex((bound) => one <= bound);
          expected[at < 0 ? bounds.length : at]!++;
        }
        expect(counts).toEqual(expected);
        const exact = values.reduce((a, b) => a + b, 0);
        expect(Math.abs(sum - exact)).toBeLessThanOrEqual(exact * 1e-9);
      }),
      { numRuns: 500 },
    );
  });

  it('gives a quantile that is off by a factor of two at most, and takes no harm of odd values', () => {
    const histogram = new Histogram({ first: 1, count: 10 });
    for (let i = 1; i <= 100; i++) histogram.observe(i);
    for (const [share, exact] of [
      [0.5, 50],
      [0.99, 99],
    ] as const) {
      const found = quantileOf(histogram.read(), share)!;
      expect(found).toBeGreaterThanOrEqual(exact);
      expect(found).toBeLessThan(exact * 2);
    }
    const odd = new Histogram({ first: 1, count: 2 });
    for (const value of [Number.NaN, -5, Infinity]) odd.observe(value);
    expect(odd.read().counts).toEqual([1, 0, 1]);
    expect(quantileOf(new Histogram({ first: 1, count: 2 }).read(), 0.5)).toBeUndefined();
  });
});

describe('as text', () => {
  const families: readonly MetricFamily[] = [
    {
      name: 'orders_total',
      help: 'Orders \\ of\nall "kinds".',
      type: 'counter',
      samples: [{ labels: { type: 'a"b\\c\nd' }, value: 3 }],
    },
    {
      name: 'took_seconds',
      help: 'Times.',
      type: 'histogram',
      samples: [{ labels: { at: 'x' }, histogram: { bounds: [0.5, 1], counts: [2, 1, 4], sum: 9.5 } }],
    },
    { name: 'level', help: 'Level.', type: 'gauge', samples: [{ labels: {}, value: -Infinity }] },
  ];

  it('is what Prometheus reads', () => {
    expect(formatPrometheus(families)).toBe(`# HELP orders_total Orders \\\\ of\\nall "kinds".
# TYPE orders_total counter
orders_total{type="a\\"b\\\\c\\nd"} 3
# HELP took_seconds Times.
# TYPE took_seconds histogram
took_seconds_bucket{at="x",le="0.5"} 2
took_seconds_bucket{at="x",le="1.0"} 3
took_seconds_bucket{at="x",le="+Inf"} 7
took_seconds_sum{at="x"} 9.5
took_seconds_count{at="x"} 7
# HELP level Level.
# TYPE level gauge
level -Inf
`);
  });

  it('of OpenMetrics names a counter without its ending, and has an end', () => {
    const text = formatOpenMetrics(families);
    expect(text).toContain('# TYPE orders counter\norders_total{');
    expect(text).toContain('all \\"kinds\\".');
    expect(text.endsWith('# EOF\n')).toBe(true);
  });

  it.each([
    [undefined, 'prometheus'],
    ['*/*', 'prometheus'],
    ['application/json', 'json'],
    ['text/html', 'prometheus'],
    ['text/plain;version=0.0.4;q=0.5, application/json;q=0.4', 'prometheus'],
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    ['application/json;q=0, text/plain', 'prometheus'],
  ] as const)('is in the format that is asked for by %s', (accept, format) => {
    expect(chooseFormat(accept)).toBe(format);
  });
});

describe('a monitor of a bus', () => {
  it('counts what came to each handler, whatever was subscribed, ended, filtered or failed under way', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a.x', 'a.y', 'b.x', 'on', 'off', 'throw')), (steps) => {
        const bus = new EventBus(quiet);
        const oracle = { received: 0, skipped: 0, failed: 0 };
        const types: Record<string, number> = {};
        let throws = false;
        const handler = ({ data }: Event): void => {
          if ((data as { fails: boolean }).fails) throw new Error('no');
        };
        let own: { unsubscribe: () => void } | undefined;
        bus.subscribe('a.*', handler, { name: 'watched', filter: ({ type }) => type !== 'a.y' });
        for (const step of steps) {
          if (step === 'on') own ??= bus.subscribe('#', () => undefined, { name: 'other' });
          else if (step === 'off') own = void own?.unsubscribe();
          else if (step === 'throw') throws = !throws;
          else {
            types[step] = (types[step] ?? 0) + 1;
            bus.publish(event(step, { fails: throws }));
            if (step === 'b.x') continue;
            oracle.received++;
            if (step === 'a.y') oracle.skipped++;
            else if (throws) oracle.failed++;
          }
        }
        const stats = bus.stats();
        expect(stats.handlers.find(({ name }) => name === 'watched')).toEqual({
          name: 'watched',
          retried: 0,
          ...oracle,
        });
        const counted = Object.fromEntries(stats.types.map(({ type, events }) => [type, events]));
        expect(counted).toEqual(types);
        // Each publish came to the other one while it was subscribed, or it did not.
        const others = stats.handlers.filter(({ name }) => name === 'other');
        const all = stats.ended.received + others.reduce((sum, { received }) => sum + received, 0);
        expect(all).toBeLessThanOrEqual(Object.values(types).reduce((a, b) => a + b, 0));
      }),
    );
  });

  it('counts each event of a handler that ends under way, and what becomes of it afterwards', async () => {
    const bus = new EventBus(quiet);
    const first = Promise.withResolvers<void>();
    const { unsubscribe } = bus.subscribe('a.x', () => first.promise);
    bus.subscribe('a.x', () => undefined, { once: true });
    const report = bus.publish(event('a.x', 1));
    unsubscribe();
    first.reject(new Error('late'));
    await report;
    await bus.publish(event('a.x', 2));
    expect(bus.stats()).toMatchObject({
      types: [{ type: 'a.x', events: 2 }],
      handlers: [],
      ended: { received: 2, skipped: 0, failed: 1 },
    });
  });

  it('says what middleware kept back, retries, and redelivered events', async () => {
    const bus = new EventBus(quiet);
    let calls = 0;
    const flaky = (): void => {
      if (++calls < 3) throw new Error('not yet');
    };
    bus.subscribe('a.x', flaky, { name: 'flaky', retry: { count: 3, firstMs: 1 } });
    const undo = bus.use((one, next) => {
      if (one.data === 'drop') return undefined;
      if (one.data === 'fail') throw new Error('no');
      return next(one);
    });
    await bus.publish(event('a.x', 'drop'));
    await bus.publish(event('a.x', 'fail'));
    await bus.publish(event('a.x', 'pass'));
    undo();
    calls = -10;
    await bus.publish(event('a.x', 'given up'));
    calls = 10;
    await bus.deadLetters.redrive();
    expect(bus.stats()).toMatchObject({
      // Driven again, it came to its handler alone.
      types: [{ type: 'a.x', events: 2 }],
      handlers: [{ name: 'flaky', received: 3, failed: 1, retried: 5 }],
      dropped: 1,
      failed: 1,
    });
  });

  it('times every handler in its turn, synchronous or not, and the first events all', async () => {
    let now = 0;
    const monitor = new Monitor({ clock: () => now });
    const bus = new EventBus(quiet);
    bus.subscribe('a.x', () => (now += 3), { name: 'three' });
    bus.subscribe(
      'a.x',
      async () => {
        await Promise.resolve();
        now += 8;
      },
      { name: 'later' },
    );
    bus.subscribe(
      'a.x',
      () => {
        now += 1;
        throw new Error('no');
      },
      { name: 'throws' },
    );
    monitor.watchBus('shop', bus);
    for (let i = 0; i < 30; i++) await bus.publish(event('a.x', i));
    const families = await monitor.read();
    expect(valuesOf(families, 'millrace_handler_seconds')).toEqual({
      'bus=shop,handler=three': 10,
      'bus=shop,handler=later': 10,
      'bus=shop,handler=throws': 10,
    });
    const { samples } = families.find(({ name }) => name === 'millrace_handler_seconds')!;
    expect(samples.map(({ histogram }) => histogram!.sum)).toEqual([
      expect.closeTo(0.03),
      // What is synchronous behind it is waited for as well.
      expect.closeTo(0.09),
      expect.closeTo(0.01),
    ]);
    expect(valuesOf(families, 'millrace_handler_failed_total')['bus=shop,handler=throws']).toBe(30);
    monitor.close();
    expect(valuesOf(await monitor.read(), 'millrace_bus_events_total')).toEqual({});
  });

  it('waits once for what begins its work when it is waited for', async () => {
    const monitor = new Monitor();
    const bus = new EventBus(quiet);
    monitor.watchBus('shop', bus);
    let begun = 0;
    class Query {
      // oxlint-disable-next-line unicorn/no-thenable -- as some libraries' queries are
      then(done: () => void): void {
        begun++;
        done();
      }
    }
    bus.subscribe('a.x', () => new Query());
    await bus.publish(event('a.x', 1));
    expect(begun).toBe(1);
  });
});

describe('a monitor', () => {
  it('says of topics, a router, a log, windows, sync and a status what they say of themselves', async () => {
    const monitor = new Monitor();
    const topics = new PubSub(quiet);
    topics.subscribe('order.#', () => undefined, { name: 'pack', capacity: 2, policy: 'drop-newest' });
    monitor.watchTopics('orders', topics);
    for (let i = 0; i < 3; i++) await topics.publish('order.placed', event('order.placed', i));
    const router = new EventRouter({
      targets: {
        bill: () => undefined,
        fail: () => {
          throw new Error('no');
        },
      },
    });
    router.addRule({ id: 'all', condition: { type: ['order.placed'] }, target: 'bill' });
    router.addRule({ id: 'bad', condition: { type: ['order.placed'] }, target: 'fail' });
    monitor.watchRouter('main', router);
    await router.dispatch(event('order.placed', 1));
    await router.dispatch(event('page.viewed', 1));
    const log = groupCommits(monitor.timedStorage('device', openMemory()));
    monitor.watchLog('device', log);
    monitor.watchSync('till', { storage: log, pusher: { status: { state: 'backoff', skewMs: 1500 } } });
    await Promise.all(
      [1, 2, 3].map((n) => log.commit([{ events: [event('a.x', n), event('a.y', n)] }])),
    );
    monitor.watchStatus('page', () => ({
      captured: 5,
      offline: true,
      state: 'idle',
      lastError: undefined,
    }));
    const windows = new WindowOperator({
      windows: [{ name: 'per-minute', windows: tumbling(60_000), aggregation: count() }],
      ports: hostPorts,
    });
    await windows.process([event('a.x', 1)]);
    monitor.watchWindows('views', windows);
    monitor.watchConsumer('mailer', { status: () => ({ lag: 4, paused: undefined }) });
    const families = await monitor.read();
    const read = (name: string) => valuesOf(families, `millrace_${name}`);
    expect(read('queue_length')).toEqual({ 'bus=orders,handler=pack': 2 });
    expect(read('queue_dropped_total')).toEqual({ 'bus=orders,handler=pack': 1 });
    expect(read('topic_events_total')).toEqual({ 'bus=orders': 3 });
    expect(read('rule_delivered_total')['router=main,rule=all,target=bill']).toBe(1);
    expect(read('rule_failed_total')['router=main,rule=bad,target=fail']).toBe(1);
    expect(read('router_unmatched_total')).toEqual({ 'router=main': 1 });
    expect(read('dead_letters')).toEqual({ 'of=main': 1, 'of=orders': 0 });
    expect(read('rule_seconds')).toEqual({ 'router=main,rule=all': 1, 'router=main,rule=bad': 1 });
    expect(read('log_events')).toEqual({ 'log=device': 6 });
    expect(read('log_head')).toEqual({ 'log=device': 6 });
    expect(read('commits_total')).toEqual({ 'log=device': 3 });
    expect(read('commit_events_total')).toEqual({ 'log=device': 6 });
    // The first went alone, those that came meanwhile together.
    expect(read('commit_group')).toEqual({ 'log=device': 2 });
    expect(read('sync_events')['device=till,state=waiting']).toBe(6);
    expect(read('sync_state')['device=till,state=backoff']).toBe(1);
    expect(read('sync_state')['device=till,state=idle']).toBe(0);
    expect(read('sync_clock_skew_seconds')).toEqual({ 'device=till': 1.5 });
    expect(read('status')).toEqual({ 'of=page,field=captured': 5, 'of=page,field=offline': 1 });
    expect(read('windows_events_total')).toEqual({ 'stream=views': 1 });
    expect(read('consumer_lag_events')).toEqual({ 'consumer=mailer': 4 });
    expect(await monitor.text()).toContain('millrace_queue_length{bus="orders",handler="pack"} 2\n');
    expect(await monitor.text('openmetrics')).toMatch(/# EOF\n$/);
  });

  it('counts what a subscriber of topics does after it has unsubscribed', async () => {
    const topics = new PubSub(quiet);
    const handled = Promise.withResolvers<void>();
    const { unsubscribe } = topics.subscribe('a', () => handled.promise);
    topics.start();
    await topics.publish('a', event('a.x', 1));
    await Promise.resolve();
    unsubscribe();
    handled.resolve();
    await handled.promise;
    await new Promise((done) => setTimeout(done));
    const { ended, subscribers } = topics.stats();
    expect(subscribers).toEqual([]);
    expect(ended.received).toBe(1);
    expect(ended.handled + ended.failed).toBe(1);
    expect(topics.stats().ended).toEqual(ended);
  });

  it('counts of a log what fails', async () => {
    const monitor = new Monitor();
    const memory = openMemory();
    const log = monitor.timedStorage('device', memory);
    await memory.close();
    await expect((async () => log.commit([{ events: [] }]))()).rejects.toMatchObject({
      code: 'storage.closed',
    });
    expect(valuesOf(await monitor.read(), 'millrace_commit_failures_total')).toEqual({
      'log=device': 1,
    });
  });
});

describe('as events', () => {
  it('are whole in events that each fit into a line', async () => {
    const monitor = new Monitor();
    const families =
      (await monitor.registry.counter('a_total', 'x'.repeat(200_000))) && (await monitor.read());
    const many: MetricFamily = {
      ...{ name: 'b_total', help: 'B.', type: 'counter' },
      samples: Array.from({ length: 5000 }, (_, i) => ({
        labels: { n: `${i}`.padStart(100) },
        value: i,
      })),
    };
    const events = metricEvents([...families, many], event);
    expect(events.length).toBeGreaterThan(2);
    const read = events.map((one) => decodeLine(encodeLine(one)).data as MetricsReported);
    expect(read.map(({ part, parts }) => [part, parts])).toEqual(
      events.map((_, i) => [i + 1, events.length]),
    );
    const samples = read.flatMap(({ metrics }) => metrics.filter(({ name }) => name === 'b_total'));
    expect(samples.flatMap((one) => one.samples)).toEqual(many.samples);
  });

  it('come now and then, until it is undone, whatever a publish does', async () => {
    const bus = new EventBus(quiet);
    const registry = new MetricRegistry();
    const seen: Event[] = [];
    bus.subscribe('metrics.reported', (one) => void seen.push(one));
    const due: (() => void)[] = [];
    const errors: unknown[] = [];
    let fails = true;
    const undo = reportMetrics(registry, {
      event,
      publish: (one) => {
        if (fails) throw new Error('no');
        return bus.publish(one);
      },
      ports: { after: (_, call) => (due.push(call), () => undefined) },
      onError: (error) => errors.push(error),
    });
    const tick = async (): Promise<void> => {
      const before = due.length;
      due.at(-1)!();
      while (due.length === before) await new Promise((done) => setTimeout(done));
    };
    await tick();
    expect([seen.length, errors.length]).toEqual([0, 1]);
    fails = false;
    await tick();
    await tick();
    expect(seen.map(({ type }) => type)).toEqual(['metrics.reported', 'metrics.reported']);
    undo();
  });
});
