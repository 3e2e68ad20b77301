import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { methodsOf } from '../../src/storage/methods-of.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { eventsPerMinute } from '../../src/windows/events-per-minute.ts';
import { WindowedView, type WindowResult } from '../../src/windows/windowed-view.ts';
import type { Count } from '../../src/windows/count.ts';
import { damagedAt } from '../unit/sync-world.ts';

type Result = WindowResult<Count>;

/** What the view must say, from all distinct events at once. */
function oracle(events: readonly Event[]): Result[] {
  const counts = new Map<number, Map<string, number>>();
  for (const { timestamp, type } of new Map(events.map((event) => [event.id, event])).values()) {
    const start = timestamp - (((timestamp % 60_000) + 60_000) % 60_000);
    const keys = counts.get(start) ?? counts.set(start, new Map()).get(start)!;
    keys.set(type, (keys.get(type) ?? 0) + 1);
  }
  const results = [...counts].flatMap(([start, keys]) =>
    [...keys].map(([key, n]) => ({
      window: { start, end: start + 60_000 },
      key,
      value: { count: n },
      revision: n,
    })),
  );
  return results.toSorted((a, b) => a.window.start - b.window.start || (a.key < b.key ? -1 : 1));
}

const types = [
  'page.viewed',
  'product.added',
  '__proto__',
  ...Array.from({ length: 70 }, (_, i) => `t.${i}`),
];
const time = fc.oneof(
  fc.integer({ min: -200_000, max: 200_000 }),
  fc.integer({ min: -30, max: 30 }).map((days) => days * 86_400_000),
  fc.constantFrom(-62_167_219_200_000, 253_402_300_799_999),
);
const event = fc
  .record({ id: fc.integer({ min: 0, max: 400 }), type: fc.constantFrom(...types), timestamp: time })
  .map(({ id, type, timestamp }) =>
    makeEvent({ id: `e-${id}`, type, data: null, timestamp, source: 's', priority: 2 }),
  );
/** Commits of events in any order, some of them again; one id always with one content. */
const commits = fc.array(fc.array(event, { maxLength: 40 }), { maxLength: 12 }).map((batches) => {
  const first = new Map<string, Event>();
  return batches.map((batch) => batch.map((one) => first.get(one.id) ?? (first.set(one.id, one), one)));
});

describe('a windowed view equals a recount of all events', () => {
  it('for any order, batching, duplication and lateness', async () => {
    await fc.assert(
      fc.asyncProperty(commits, fc.array(fc.integer({ min: 1, max: 30 })), async (batches, limits) => {
        const storage = openMemory();
        const view = new WindowedView(storage, eventsPerMinute);
        for (const [i, events] of batches.entries()) {
          await storage.commit([{ events }]);
          const limit = limits[i];
          if (limit !== undefined) await view.catchUp({ limit });
        }
        await view.catchUp();
        expect(await view.read()).toEqual(oracle(batches.flat()));
      }),
    );
  });

  it('but for what is damaged, which is counted once, by two views that race', async () => {
    const at = fc.uniqueArray(fc.integer({ min: 1, max: 100 }));
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), commits, at, async (scheduler, batches, positions) => {
        const storage = openMemory();
        for (const events of batches) await storage.commit([{ events }]);
        const damaged = damagedAt(storage, positions);
        const views = ['left', 'right'].map(
          (name) => new WindowedView(slow(damaged, scheduler, name), eventsPerMinute),
        );
        await scheduler.waitFor(Promise.all(views.map((view) => view.catchUp())));
        const all = (await storage.read({ limit: 10_000 })).events;
        const left = all.filter(({ position }) => !positions.includes(position));
        const view = new WindowedView(storage, eventsPerMinute);
        expect(await view.read()).toEqual(oracle(left.map(({ event }) => event)));
        expect(await view.damaged()).toBe(all.length - left.length);
      }),
    );
  });

  it('for two views that race on one storage', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), commits, async (scheduler, batches) => {
        const storage = openMemory();
        const views = ['left', 'right'].map(
          (name) => new WindowedView(slow(storage, scheduler, name), eventsPerMinute),
        );
        const revised: (readonly Result[])[] = [];
        const running = views.map(async (view, i) => {
          for (const [j, events] of batches.entries()) {
            if (j % 2 === i) await storage.commit([{ events }]);
            revised.push(await view.catchUp({ limit: 7 }));
          }
          revised.push(await view.catchUp());
        });
        await scheduler.waitFor(Promise.all(running));
        const results = await new WindowedView(storage, eventsPerMinute).read();
        expect(results).toEqual(oracle(batches.flat()));
        expect(latest(revised.flat())).toEqual(results);
      }),
    );
  });

  it('for a storage that fails at any call, before or after it applied it, and a view that starts anew', async () => {
    await fc.assert(
      fc.asyncProperty(
        commits,
        fc.array(fc.nat(12)),
        fc.boolean(),
        async (batches, failures, applied) => {
          const storage = openMemory();
          for (const events of batches) await storage.commit([{ events }]);
          for (const call of failures) {
            const failing = new WindowedView(failsAt(storage, call, applied), eventsPerMinute);
            await failing.catchUp({ limit: 20 }).catch(ignoreCut);
          }
          const view = new WindowedView(storage, eventsPerMinute);
          await view.catchUp();
          expect(await view.read()).toEqual(oracle(batches.flat()));
        },
      ),
    );
  });
});

function latest(results: readonly Result[]): readonly Result[] {
  const last = new Map<string, Result>();
  for (const result of results) {
    const key = JSON.stringify([result.window.start, result.key]);
    if ((last.get(key)?.revision ?? 0) < result.revision) last.set(key, result);
  }
  return [...last.values()].toSorted(
    (a, b) => a.window.start - b.window.start || (a.key < b.key ? -1 : 1),
  );
}

type Method = 'producer' | 'read' | 'get' | 'commit';

/** The same storage; `around` decides when and whether each call of a view reaches it. */
function wrap(
  storage: Storage,
  around: <T>(run: () => T | Promise<T>, method: Method) => Promise<T>,
): Storage {
  return {
    ...methodsOf(storage),
    producer: (id) => around(() => storage.producer(id), 'producer'),
    read: (query) => around(() => storage.read(query), 'read'),
    get: (key) => around(() => storage.get(key), 'get'),
    commit: (batch) => around(() => storage.commit(batch), 'commit'),
  };
}

function slow(storage: Storage, scheduler: fc.Scheduler, name: string): Storage {
  return wrap(storage, async (run, method) => {
    await scheduler.schedule(Promise.resolve(), `${name} ${method}`);
    return run();
  });
}

const cut = new Error('the storage is gone');

function ignoreCut(error: unknown): void {
  if (error !== cut) throw error;
}

function failsAt(storage: Storage, call: number, applied: boolean): Storage {
  let calls = 0;
  return wrap(storage, async (run) => {
    const fails = calls++ === call;
    if (fails && !applied) throw cut;
    const value = await run();
    if (fails) throw cut;
    return value;
  });
}
