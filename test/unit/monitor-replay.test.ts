/** Replays: which events come again, when, where to, and where they go on. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { EventBus } from '../../src/bus/event-bus.ts';
import { PubSub } from '../../src/bus/pub-sub.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { replayOf } from '../../src/event/replay-mark.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { replay } from '../../src/monitor/replay.ts';
import type { ReplayOptions, ReplayProgress } from '../../src/monitor/replay-options.ts';
import type { ReplayClient } from '../../src/monitor/replay-source.ts';
import type { ReplayTarget } from '../../src/monitor/replay-target.ts';
import { Projector } from '../../src/sourcing/projector.ts';
import { formatCursor } from '../../src/storage/cursor.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { SteppedPorts } from './sync-world.ts';

const BASE = 1_700_000_000_000;

function order(id: string, second: number, fields: Partial<Event> = {}): Event {
  return makeEvent({
    ...{ id, type: 'order.placed', data: { id }, timestamp: BASE + second * 1000 },
    ...{ source: 'till', priority: 2 },
    ...fields,
  });
}

async function logOf(events: readonly Event[]): Promise<Storage> {
  const storage = openMemory();
  await storage.commit([{ events }]);
  return storage;
}

const four = [
  order('a', 0),
  order('b', 1, { type: 'page.viewed' }),
  order('c', 5, { subject: 'cart' }),
  order('d', 3),
];

const clientOf = (events: readonly Event[], pageEvents: number): ReplayClient => ({
  getEvent: async (id) => events.find((event) => event.id === id),
  read: async ({ after = '0' }) => {
    const from = Number(after);
    const page = events.slice(from, from + pageEvents);
    const next = from + page.length;
    return { events: page, next: String(next), more: next < events.length };
  },
});

/** To its end, by steps of the clock. */
async function settled<T>(ports: SteppedPorts, promise: Promise<T>): Promise<T> {
  let done = false;
  const end = (): void => void (done = true);
  promise.then(end, end);
  await ports.until(() => done);
  return promise;
}

describe('a replay', () => {
  it.each([
    ['a storage', async () => logOf(four)],
    ['an event store', async () => new EventStore(await logOf(four))],
    ['a client', async () => clientOf(four, 3)],
  ])('hands on what the query selects of %s, in order, marked, and else as it is', async (_, open) => {
    const source = await open();
    const got: Event[] = [];
    const seen: unknown[] = [];
    const ports = new SteppedPorts();
    const take = (event: Event): void => {
      got.push(event);
      seen.push(replayOf(event));
    };
    const startedAt = ports.now();
    const all = await settled(ports, replay({ source }, take, { name: 'again', ports }));
    expect(got).toEqual(four);
    expect(got.map(encodeLine)).toEqual(four.map(encodeLine));
    expect(seen).toEqual(four.map(() => ({ replay: 'again', startedAt })));
    expect(four.map(replayOf)).toEqual(four.map(() => undefined));
    expect(all).toMatchObject({ count: 4, failed: 0, unreadable: 0, ended: 'all', failures: [] });
    expect(all.types).toEqual({ 'order.placed': 3, 'page.viewed': 1 });
    for (const [query, ids] of [
      [{ types: ['page.viewed'] }, ['b']],
      [{ subject: 'cart' }, ['c']],
      [{ from: BASE + 1000, to: BASE + 5000 }, ['b', 'd']],
      [{ types: ['none'] }, []],
    ] as const) {
      got.length = 0;
      await settled(ports, replay({ source, ...query }, take, { ports }));
      expect(got.map(({ id }) => id)).toEqual(ids);
    }
  });

  it.each([
    [1, [0, 1000, 5000, 5000]],
    [2, [0, 500, 2500, 2500]],
    ['max', [0, 0, 0, 0]],
  ] as const)('at speed %s keeps the events’ own times, late ones at once', async (speed, expected) => {
    const ports = new SteppedPorts();
    const start = ports.now();
    const at: number[] = [];
    const source = await logOf(four);
    await settled(
      ports,
      replay({ source }, () => at.push(ports.now() - start), { speed, ports }),
    );
    expect(at).toEqual(expected);
  });

  it('adds no delay up, and waits no longer than it may', async () => {
    const ports = new SteppedPorts();
    const start = ports.now();
    const at: number[] = [];
    const source = await logOf([order('a', 0), order('b', 1), order('c', 2), order('d', 900)]);
    const slow = async (): Promise<void> => {
      at.push(ports.now() - start);
      await new Promise<void>((resolve) => ports.after(700, resolve));
    };
    await settled(ports, replay({ source }, slow, { speed: 1, longestWaitMs: 1500, ports }));
    expect(at).toEqual([0, 1000, 2000, 3500]);
  });

  it('ends where the log ended when it began, though its handlers append', async () => {
    const source = await logOf(four);
    const ports = new SteppedPorts();
    let more = 0;
    const append = async (): Promise<void> =>
      void (await source.commit([{ events: [order(`more-${++more}`, 9)] }]));
    expect(await settled(ports, replay({ source }, append, { ports }))).toMatchObject({ count: 4 });
  });

  it('goes on from where it was stopped, and hands each event on once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(40), fc.array(fc.nat(12), { maxLength: 5 }), async (count, stops) => {
        const events = Array.from({ length: count }, (_, i) => order(`e-${i}`, i));
        const source = await logOf(events);
        const ports = new SteppedPorts();
        const got: string[] = [];
        let after: string | undefined;
        for (const left of [...stops, Infinity]) {
          const stop = new AbortController();
          let taken = 0;
          const take = ({ id }: Event): void => {
            got.push(id);
            if (++taken === left) stop.abort();
          };
          const { signal } = stop;
          const outcome = await settled(ports, replay({ source }, take, { after, signal, ports }));
          expect(outcome.count).toBe(taken);
          expect(outcome.ended === 'all' || taken === left).toBe(true);
          after = outcome.cursor;
        }
        expect(got).toEqual(events.map(({ id }) => id));
      }),
      { numRuns: 60 },
    );
  });

  it('hands on up to a cursor, and that one with it', async () => {
    const source = await logOf(four);
    const ports = new SteppedPorts();
    const options = { after: formatCursor(1), until: formatCursor(3), ports };
    const got: string[] = [];
    await settled(
      ports,
      replay({ source }, ({ id }) => got.push(id), options),
    );
    expect(got).toEqual(['b', 'c']);
  });

  it('tells how far it is, each hundred events and at the end', async () => {
    const source = await logOf(Array.from({ length: 250 }, (_, i) => order(`e-${i}`, i)));
    const ports = new SteppedPorts();
    const told: ReplayProgress[] = [];
    const onProgress = (progress: ReplayProgress): void => void told.push(progress);
    await settled(
      ports,
      replay({ source }, () => {}, { onProgress, ports }),
    );
    expect(told.map(({ count }) => count)).toEqual([100, 200, 250]);
    expect(told[0]).toEqual({
      ...{ count: 100, failed: 0, unreadable: 0 },
      ...{ cursor: formatCursor(100), time: BASE + 99_000 },
    });
  });

  it('as a dry run hands nothing on, waits for nothing, and says what would be', async () => {
    const source = await logOf(four);
    const ports = new SteppedPorts();
    const start = ports.now();
    const take = (): never => {
      throw new Error('must not be called');
    };
    const options = { dryRun: true, speed: 1, ports } as const;
    const outcome = await settled(ports, replay({ source, from: BASE + 1 }, take, options));
    expect(outcome).toMatchObject({ count: 3, failed: 0, ended: 'all' });
    expect(outcome.types).toEqual({ 'page.viewed': 1, 'order.placed': 2 });
    expect(outcome.samples.map(({ id }) => id)).toEqual(['b', 'c', 'd']);
    expect(ports.now()).toBe(start);
  });

  it('passes over what cannot be read, counted', async () => {
    const storage = await logOf(four);
    const upcast = (data: { readonly id: string }) => {
      if (data.id === 'c') throw new Error('old');
      return data;
    };
    const source = new EventStore(storage, {
      upcasters: [{ type: 'order.placed', version: 1, upcast }],
    });
    const ports = new SteppedPorts();
    const got: string[] = [];
    const outcome = await settled(
      ports,
      replay({ source }, ({ id }) => got.push(id), { ports }),
    );
    expect(got).toEqual(['a', 'b', 'd']);
    expect(outcome).toMatchObject({ count: 3, unreadable: 1, cursor: formatCursor(4) });
  });

  it('goes to a bus, to topics and to a service, and counts what fails there', async () => {
    const source = await logOf(four);
    const ports = new SteppedPorts();
    const got: string[] = [];
    const take = (event: Event): void => {
      if (event.id === 'c') throw new RangeError('no c');
      got.push(`${event.id} ${replayOf(event)?.replay}`);
    };
    const bus = new EventBus({ onError: () => {} });
    bus.subscribe('#', take);
    const topics = new PubSub({ onError: () => {} });
    topics.subscribe('again', take, { policy: 'fail', capacity: 3 });
    const service = { handle: async (event: Event) => take(event) };
    for (const [target, reason] of [
      [bus, { event: 'c', reason: { message: 'no c', details: { error: 'RangeError' } } }],
      [
        { topics, topic: 'again' },
        { event: 'd', reason: { code: 'limit.exceeded' } },
      ],
      [service, { event: 'c', reason: { message: 'no c' } }],
    ] as readonly [ReplayTarget, object][]) {
      const outcome = await settled(ports, replay({ source }, target, { ports }));
      expect(outcome).toMatchObject({ count: 4, failed: 1, failures: [reason] });
    }
    const taken = ['a replay', 'b replay', 'd replay'];
    expect(got.splice(0)).toEqual([...taken, ...taken]);
    topics.start();
    await ports.until(() => topics.queueLength === 0);
    expect(got).toEqual(['a replay', 'b replay']);
  });

  it('builds a projection anew, while the old one is read', async () => {
    const store = new EventStore(await logOf(four));
    let factor = 1;
    const projection = {
      name: 'orders',
      types: ['order.placed'],
      key: () => 'all',
      initial: () => 0,
      evolve: (state: number) => state + factor,
    };
    const projector = new Projector(store, projection as never);
    await projector.catchUp();
    expect(await projector.get('all')).toBe(3);
    factor = 10;
    const told: number[] = [];
    const outcome = await replay({ source: store }, projector, {
      onProgress: ({ count }) => void told.push(count),
    });
    expect(outcome).toMatchObject({ count: 4, failed: 0, ended: 'all' });
    expect(told.at(-1)).toBe(4);
    expect(await projector.get('all')).toBe(30);
    const refused = replay({ source: store, types: ['order.placed'] }, projector);
    await expect(refused).rejects.toMatchObject({ code: 'query.invalid' });
  });

  it.each([
    ['a speed', { speed: 0 }],
    ['a wait', { longestWaitMs: -1 }],
    ['a cursor', { after: 'nowhere' }],
  ] as readonly [string, ReplayOptions][])('refuses %s that means nothing', async (_, options) => {
    const source = await logOf(four);
    await expect(replay({ source }, () => {}, options)).rejects.toMatchObject({
      code: expect.stringMatching(/invalid$/),
    });
  });

  it('refuses what is no source and no target', async () => {
    const source = await logOf(four);
    for (const [given, target] of [
      [{ source: null }, () => {}],
      [{ source }, null],
      [{ source }, {}],
    ])
      await expect(replay(given as never, target as never)).rejects.toMatchObject({
        code: 'query.invalid',
      });
    const until = replay({ source: clientOf(four, 1) }, () => {}, { until: formatCursor(1) });
    await expect(until).rejects.toMatchObject({ code: 'query.invalid' });
  });
});
