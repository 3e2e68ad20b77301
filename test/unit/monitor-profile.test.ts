/** Profiles: what is counted and timed of whom, and that nothing is left of them once they are stopped. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { EventBus } from '../../src/bus/event-bus.ts';
import { PubSub } from '../../src/bus/pub-sub.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { Durations } from '../../src/monitor/durations.ts';
import { profile, startProfile, type Profile } from '../../src/monitor/profile.ts';
import { hostPorts } from '../../src/ports.ts';
import { EventRouter } from '../../src/routing/event-router.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import { toHandler } from '../../src/windows/streams/outputs.ts';
import { fromBus, fromStore } from '../../src/windows/streams/sources.ts';
import { stream } from '../../src/windows/streams/stream.ts';
import { session, tumbling } from '../../src/windows/windows.ts';
import { gate } from './bus-world.ts';
import { SteppedPorts } from './sync-world.ts';

let made = 0;
function order(total = 1): Event {
  return makeEvent({
    ...{ id: `e-${++made}`, type: 'order.placed', data: { total }, timestamp: 1_700_000_000_000 },
    ...{ source: 'till', priority: 2 },
  });
}

/** A clock that handlers set forward by what they take. */
class HandClock {
  now = 0;
  readonly read = (): number => this.now;
  readonly takes =
    (ms: number) =>
    (event: Event): void => {
      this.now += ms;
      if ((event.data as { total: number }).total < 0) throw new Error('broken');
    };
}

const figures = ({ entries }: Profile): unknown =>
  Object.fromEntries(
    entries.map(({ host, name, calls, failures, totalMs, maxMs }) => [
      `${host}: ${name}`,
      [calls, failures, totalMs, maxMs],
    ]),
  );

describe('a profile', () => {
  it('counts and times each handler of a bus for itself, however it is called', async () => {
    const clock = new HandClock();
    const ports = new SteppedPorts();
    const bus = new EventBus({ onError: () => {}, ports });
    bus.subscribe('#', clock.takes(1), { name: 'plain' });
    bus.subscribe('#', clock.takes(2), { name: 'filtered', filter: ({ id }) => id !== 'none' });
    bus.subscribe('#', clock.takes(4), { name: 'one', concurrency: 1 });
    bus.subscribe('#', clock.takes(8), { name: 'retried', retry: { count: 2, firstMs: 1 } });
    const running = startProfile({ bus }, { clock: clock.read });
    bus.subscribe('#', clock.takes(16), { name: 'later' });
    bus.publish(order());
    const failing = Promise.resolve(bus.publish(order(-1)));
    let done = false;
    void failing.then(() => (done = true));
    await ports.until(() => done);
    const stopped = running.stop();
    expect(figures(stopped)).toEqual({
      'bus: plain': [2, 1, 2, 1],
      'bus: filtered': [2, 1, 4, 2],
      'bus: one': [2, 1, 8, 4],
      'bus: retried': [4, 3, 32, 8],
      'bus: later': [2, 1, 32, 16],
    });
    expect(stopped.durationMs).toBe(clock.now);
    expect(stopped.entries.map(({ totalMs }) => totalMs)).toEqual([32, 32, 8, 4, 2]);
    bus.publish(order());
    expect(running.stop()).toBe(stopped);
    expect(running.read()).toBe(stopped);
  });

  it('times what is waited for until it answers, and says what still runs', async () => {
    const clock = new HandClock();
    const bus = new EventBus({ onError: () => {} });
    const [first, second] = [gate(), gate()];
    const gates = [first, second];
    bus.subscribe('#', () => gates.shift()?.promise, { name: 'slow' });
    using running = startProfile({ bus }, { clock: clock.read });
    const reports = [bus.publish(order()), bus.publish(order())];
    clock.now = 5;
    first.open();
    await reports[0];
    expect(running.read().entries[0]).toMatchObject({ calls: 2, running: 1, totalMs: 5, failures: 0 });
    clock.now = 7;
    second.fail(new Error('broken'));
    await reports[1];
    expect(running.read().entries[0]).toMatchObject({ running: 0, totalMs: 12, failures: 1, maxMs: 7 });
  });

  it('changes nothing of what is called, and is nothing once it is stopped', async () => {
    const bus = new EventBus({ onError: () => {} });
    const seen: unknown[] = [];
    function handler(this: unknown, ...given: unknown[]): number {
      seen.push(given);
      return given.length;
    }
    bus.subscribe('#', handler, { name: 'plain' });
    const event = order();
    const plain = bus.publish(event);
    const stop = bus.probe(
      (_, call) =>
        (...given) => (seen.push('probed'), call(...given)),
    );
    const probed = bus.publish(event);
    stop();
    stop();
    bus.publish(event);
    expect(probed).toMatchObject({ handled: 1, failed: 0 });
    expect(plain).not.toBeInstanceOf(Promise);
    expect(probed).not.toBeInstanceOf(Promise);
    expect(seen).toEqual([seen[0], 'probed', seen[0], seen[0]]);
  });

  it('gives way to another one of the same host', () => {
    const clock = new HandClock();
    const bus = new EventBus();
    bus.subscribe('#', clock.takes(1), { name: 'plain' });
    const first = startProfile({ bus }, { clock: clock.read });
    const second = startProfile({ bus }, { clock: clock.read });
    bus.publish(order());
    first.stop();
    bus.publish(order());
    expect(first.read().entries).toEqual([]);
    expect(second.stop().entries[0]!.calls).toBe(2);
  });

  it('tells topics’ subscribers and a router’s rules apart', async () => {
    const clock = new HandClock();
    const topics = new PubSub({ onError: () => {} });
    topics.subscribe('#', clock.takes(3), { name: 'pack' });
    topics.start();
    const router = new EventRouter({ targets: { bill: clock.takes(5), mail: clock.takes(7) } });
    router.addRule({ id: 'bills', target: 'bill' });
    router.addRule({
      id: 'mails',
      target: 'mail',
      condition: { data: { total: [{ numeric: ['>', 0] }] } },
    });
    const running = startProfile({ topics, router }, { clock: clock.read });
    for (const total of [1, -1]) {
      await router.dispatch(order(total));
      await topics.publish('orders', order(total));
    }
    await topics.stop();
    expect(figures(running.stop())).toEqual({
      'topics: pack': [2, 1, 6, 3],
      'router: bills': [2, 1, 10, 5],
      'router: mails': [1, 0, 7, 7],
    });
    await router.dispatch(order());
    expect(running.read().entries).toHaveLength(3);
  });

  it.each([
    ['a store', true],
    ['a bus', false],
  ])('shows the steps, windows and outputs of a stream over %s', async (_, stored) => {
    const clock = new HandClock();
    const store = new EventStore(openMemory());
    const bus = new EventBus();
    const run = stream(stored ? fromStore(store) : fromBus(bus))
      .map((event) => ((clock.now += 2), event))
      .window(tumbling(1000), { name: 'per-second' })
      .aggregate({
        initial: () => 0,
        add: (state: number) => ((clock.now += 3), state + 1),
        merge: (left: number, right: number) => left + right,
        result: (state: number) => ((clock.now += 100), state),
      })
      .window(tumbling(2000), { name: 'per-two' })
      .aggregate(sum('total'))
      .window(session(1000), { name: 'visits' })
      .aggregate(count())
      .output(toHandler(() => void (clock.now += 50), { name: 'mail' }))
      .open({ name: 'sales', ports: hostPorts });
    const stop = stored ? () => {} : run.start();
    const running = startProfile({ sales: run }, { clock: clock.read });
    const events = [order(), order(), order()];
    if (stored) await store.append(events);
    else for (const event of events) await bus.publish(event);
    await run.catchUp();
    await run.finish();
    stop();
    const { entries } = running.stop();
    const of = (name: string) => entries.find((entry) => entry.name === name);
    expect(of('map')).toMatchObject({ calls: 3, events: 3, totalMs: 6 });
    expect(of('fold per-second')).toMatchObject({ events: 3, totalMs: 9 });
    expect(of('fold visits')).toMatchObject({ events: 3, totalMs: 0 });
    expect(of('fold per-two')).toMatchObject({ events: 3, totalMs: 0 });
    expect(of('results of per-second')).toMatchObject({ events: 0, totalMs: 100 });
    expect(of('output mail')).toMatchObject({ calls: 3, totalMs: 150 });
    const calls = entries.map((entry) => entry.calls);
    const more = order();
    if (stored) await store.append(more);
    await run.catchUp();
    expect(running.read().entries.map((entry) => entry.calls)).toEqual(calls);
  });

  it('lasts for a stretch, or until the signal', async () => {
    const clock = new HandClock();
    const ports = new SteppedPorts();
    const bus = new EventBus();
    bus.subscribe('#', clock.takes(1), { name: 'plain' });
    const stop = new AbortController();
    const whole = profile({ bus }, 5_000, { ports, clock: clock.read });
    bus.publish(order());
    await ports.step();
    expect((await whole).entries[0]!.calls).toBe(1);
    const cut = profile({ bus }, 5_000, { ports, clock: clock.read, signal: stop.signal });
    bus.publish(order());
    stop.abort();
    expect((await cut).entries[0]!.calls).toBe(1);
    expect(ports.timers).toBe(0);
    expect(() => startProfile({ bus: {} as never })).toThrow(
      expect.objectContaining({ code: 'query.invalid' }),
    );
    await expect(profile({}, NaN)).rejects.toMatchObject({ code: 'query.invalid' });
  });

  it('keeps a thousand names of a host, and counts the calls of others', () => {
    const bus = new EventBus();
    for (let i = 0; i < 1_003; i++) bus.subscribe('#', () => {}, { name: `handler-${i}` });
    using running = startProfile({ bus });
    bus.publish(order());
    const { entries, unnamed } = running.read();
    expect([entries.length, unnamed]).toEqual([1_000, 3]);
  });
});

describe('durations', () => {
  it('have quantiles within 1 % of the sorted list’s, and the exact greatest', () => {
    const duration = fc.oneof(
      fc.constant(0),
      fc.double({ min: 1e-3, max: 1e5, noNaN: true }),
      fc.integer({ min: 1, max: 50 }),
    );
    fc.assert(
      fc.property(fc.array(duration, { minLength: 1, maxLength: 300 }), (all) => {
        const durations = new Durations();
        for (const one of all) durations.add(one);
        const sorted = all.toSorted((a, b) => a - b);
        for (const share of [0, 0.25, 0.5, 0.99, 1]) {
          const exact = sorted[Math.max(1, Math.ceil(share * all.length)) - 1]!;
          expect(Math.abs(durations.quantile(share) - exact)).toBeLessThanOrEqual(exact * 0.0101);
        }
        expect(durations.greatest).toBe(sorted.at(-1));
      }),
    );
    expect(new Durations().quantile(0.5)).toBe(0);
  });
});
