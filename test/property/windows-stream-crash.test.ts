/** A stream whose process dies at any call of a storage: each result is handed on once, and in the end all are right. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import { toDocuments, toHandler, toLog, toStorage } from '../../src/windows/streams/outputs.ts';
import { fromStore } from '../../src/windows/streams/sources.ts';
import { stream } from '../../src/windows/streams/stream.ts';
import type { StreamResult } from '../../src/windows/streams/stream-result.ts';
import type { StreamRun } from '../../src/windows/streams/stream-run.ts';
import { session, tumbling } from '../../src/windows/windows.ts';
import { BASE, keptIn, MINUTE, streamPorts } from './windows-stream-world.ts';

function visit(id: number, minute: number, visitor: string, type: string, value: unknown): Event {
  return makeEvent({
    id: `e-${id}`,
    type,
    data: { value },
    timestamp: BASE + minute * MINUTE,
    source: 'page',
    priority: 2,
    correlationId: visitor,
  });
}

/** Out of order, with a late one, one that is a dead letter, and two sessions that a later event joins. */
const commits: readonly (readonly Event[])[] = [
  [
    visit(1, 0, 'ada', 'page.viewed', 1),
    visit(2, 1, 'bob', 'page.viewed', 0.1),
    visit(3, 12, 'ada', 'page.viewed', 2),
    visit(4, 1, 'ada', 'order.placed', 'none'),
  ],
  [visit(5, 40, 'bob', 'page.viewed', 0.2), visit(6, 2, 'bob', 'order.placed', 0.3)],
  [visit(7, 6, 'ada', 'order.placed', 4), visit(8, 90, 'ada', 'page.viewed', 8)],
];
const finite = commits.flat().filter(({ id }) => id !== 'e-4');

interface World {
  readonly store: EventStore;
  readonly far: EventStore;
  readonly heard: StreamResult[];
}

const newWorld = (): World => ({
  store: new EventStore(openMemory()),
  far: new EventStore(openMemory()),
  heard: [],
});

/** One process, over the world's storages as `calls` lets them be called. */
function open({ store, far, heard }: World, calls: (storage: Storage) => Storage): StreamRun {
  const told = (result: StreamResult) => ({ type: 'result.told', data: result, subject: result.name });
  return stream(
    fromStore(new EventStore(calls(store.storage)), { types: ['page.viewed', 'order.placed'] }),
  )
    .keyBy('correlationId')
    .window(tumbling(10 * MINUTE), { name: 'sums' })
    .aggregate({ total: sum('value'), events: count() })
    .window(session(8 * MINUTE), { name: 'visits', trigger: { on: 'change' } })
    .aggregate(count())
    .window(tumbling(10 * MINUTE), { name: 'funnel' })
    .funnel({
      steps: [
        { name: 'looked', when: 'page.viewed' },
        { name: 'bought', when: 'order.placed' },
      ],
      withinMs: 5 * MINUTE,
    })
    .output(toLog(told))
    .output(toDocuments('kept'))
    .output(toStorage(calls(far.storage), (result) => ({ events: [told(result)] })))
    .output(toHandler((result) => heard.push(result)))
    .open({ name: 'crash', ports: streamPorts, batchEvents: 2 });
}

/** All that the process does, from the first event to the end of the stream. */
async function live(world: World, calls: (storage: Storage) => Storage): Promise<void> {
  const run = open(world, calls);
  for (const events of commits) {
    await world.store.append(events);
    await run.catchUp();
  }
  await run.finish();
  // What was committed and not handed on.
  await run.catchUp();
}

async function toldIn(store: EventStore): Promise<readonly StreamResult[]> {
  const events = await store.getByType('result.told', { limit: 10_000 });
  return events.toReversed().map(({ event }) => event.data as StreamResult);
}

/** Each result once, in turn, everywhere; the last ones as they must be. */
async function checkWorld(world: World): Promise<void> {
  const { store, far, heard } = world;
  const told = await toldIn(store);
  expect(told.map(({ sequence }) => sequence)).toEqual(told.map((_, i) => i + 1));
  expect(await toldIn(far)).toEqual(told);
  const unique = new Map(heard.map((result) => [result.sequence, result]));
  expect([...unique.keys()]).toEqual(told.map(({ sequence }) => sequence));
  expect([...unique.values()]).toEqual(told);
  expect(await keptIn(store, 'kept/sums/')).toEqual(sums);
  const visits = await keptIn(store, 'kept/visits/');
  expect(visits.map(([start, key, value]) => [(start - BASE) / MINUTE, key, value])).toEqual([
    [0, 'ada', 3],
    [1, 'bob', 2],
    [40, 'bob', 1],
    [90, 'ada', 1],
  ]);
  const funnels = await keptIn(store, 'kept/funnel/');
  const visitors = funnels.map(([, , value]) =>
    (value as { steps: { visitors: number }[] }).steps.map((step) => step.visitors),
  );
  expect(visitors).toEqual(funnelVisitors);
  const letters = await open(world, (storage) => storage).deadLetters.list();
  expect(letters.map(({ event, reason }) => [event?.id, reason.code])).toEqual([
    ['e-4', 'value.invalid'],
  ]);
}

const windowOf = ({ timestamp }: Event): number => Math.floor(timestamp / (10 * MINUTE)) * 10 * MINUTE;
const sums = [...Map.groupBy(finite, (event) => `${windowOf(event)} ${event.correlationId}`)]
  .map(([place, events]) => {
    const [start, key] = place.split(' ');
    // In tenths, so that the plain sum is exact.
    const tenths = events.map(({ data }) => Math.round((data as { value: number }).value * 10));
    const total = tenths.reduce((all, one) => all + one, 0) / 10;
    return [Number(start), key!, { total, events: events.length }] as const;
  })
  .toSorted(([a, left], [b, right]) => a - b || (left < right ? -1 : 1));
const funnelVisitors = [...Map.groupBy(finite, windowOf)]
  .toSorted(([a], [b]) => a - b)
  .map(([, events]) => {
    const looks = events.filter(({ type }) => type === 'page.viewed');
    const bought = looks.filter((look) =>
      events.some(
        ({ type, timestamp, correlationId }) =>
          type === 'order.placed' &&
          correlationId === look.correlationId &&
          timestamp > look.timestamp &&
          timestamp - look.timestamp <= 5 * MINUTE,
      ),
    );
    const visitors = (all: readonly Event[]): number =>
      new Set(all.map(({ correlationId }) => correlationId)).size;
    return [visitors(looks), visitors(bought)];
  });

const gone = new Error('the process is gone');

describe('a stream whose process dies', () => {
  it.each(['before', 'after'] as const)(
    '%s any one call of a storage goes on where it was',
    async (when) => {
      let calls = 0;
      const whole = newWorld();
      await live(whole, (storage) => around(storage, (call) => (calls++, call())));
      await checkWorld(whole);
      expect(calls).toBeGreaterThan(100);
      for (let n = 0; n < calls; n++) {
        const world = newWorld();
        let made = 0;
        const dying = (storage: Storage): Storage =>
          around(storage, async (call) => {
            if (made > n) throw gone;
            if (made++ < n) return call();
            if (when === 'after') await call();
            throw gone;
          });
        await expect(live(world, dying), `call ${n}`).rejects.toBe(gone);
        await live(world, (storage) => storage);
        await checkWorld(world);
      }
    },
  );

  it('or of which two run at once hands each result on once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const world = newWorld();
        const inTurn = (storage: Storage): Storage =>
          around(storage, async (call) => {
            await scheduler.schedule(Promise.resolve());
            return call();
          });
        await scheduler.waitFor(Promise.all([live(world, inTurn), live(world, inTurn)]));
        await live(world, (storage) => storage);
        await checkWorld(world);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});

/** The storage, of which each call goes through `through`. */
function around(storage: Storage, through: (call: () => unknown) => unknown): Storage {
  const calls = ['commit', 'read', 'get', 'list', 'producer'] as const;
  const wrapped = calls.map((name) => {
    const method = (storage[name] as (...given: unknown[]) => unknown).bind(storage);
    return [name, (...given: unknown[]) => through(() => method(...given))] as const;
  });
  const others = {
    onCommit: storage.onCommit.bind(storage),
    version: storage.version.bind(storage),
    stats: storage.stats.bind(storage),
  };
  return Object.assign(Object.create(storage) as Storage, others, Object.fromEntries(wrapped));
}
