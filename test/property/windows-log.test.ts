/** Windows over a log: results, state and cursor move together, wherever a call fails and whoever goes on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event/event.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { StreamWindow, WindowOperatorOptions } from '../../src/windows/operator-options.ts';
import { WindowOperator } from '../../src/windows/window-operator.ts';
import type { Processed, WindowUpdate } from '../../src/windows/window-update.ts';
import { WindowedLog, type HandedOn } from '../../src/windows/windowed-log.ts';
import {
  allKinds,
  commits,
  distinct,
  options,
  Reader,
  recount,
  timeKinds,
  windowsOf,
} from './windows-world.ts';

/** Every step's updates are stored as one value, in the commit that they belong to: its key is the step before it. */
class Journal {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async handOn({ updates }: Processed): Promise<HandedOn> {
    if (updates.length === 0) return {};
    const n = (await this.#storage.list('journal/', { limit: 10_000 })).length;
    return { put: [[`journal/${String(n).padStart(8, '0')}`, updates as never]] };
  }

  async read(): Promise<Reader> {
    const reader = new Reader();
    for (const [, updates] of await this.#storage.list('journal/', { limit: 10_000 }))
      reader.take(updates as unknown as readonly WindowUpdate[]);
    return reader;
  }
}

const trigger = fc.constantFrom<StreamWindow['trigger']>(
  undefined,
  { on: 'change' },
  { on: 'count', every: 3 },
  { on: 'interval', everyMs: 1000 },
);
const results = fc.constantFrom<StreamWindow['results']>(undefined, 'deltas');

function open(
  storage: Storage,
  window: Partial<StreamWindow>,
  pageEvents: number,
  kinds = allKinds,
  own: Partial<WindowOperatorOptions> = {},
): WindowedLog {
  let now = options.ports.now();
  const journal = new Journal(storage);
  return new WindowedLog(
    storage,
    { ...options, ...own, windows: windowsOf(kinds, window), ports: { now: () => (now += 400) } },
    { pageEvents, handOn: (processed) => journal.handOn(processed) },
  );
}

describe('windows over a log', () => {
  it('end in what a recount gives, in any order, lateness and paging, and over restarts', async () => {
    const pages = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(commits, pages, trigger, results, async (batches, pages, trigger, results) => {
        const storage = openMemory();
        let log = open(storage, { trigger, results }, 25);
        for (const [i, events] of batches.entries()) {
          await storage.commit([{ events }]);
          if (pages[i] !== undefined && pages[i] % 3 === 0)
            log = open(storage, { trigger, results }, pages[i]);
          if (pages[i] !== undefined) await log.catchUp();
        }
        await log.catchUp();
        await log.finish();
        const reader = await new Journal(storage).read();
        expect(reader.lines({ complete: true })).toEqual(recount(allKinds, distinct(batches)));
        expect(log.operator.size).toEqual({ keys: 0, rows: 0 });
      }),
      { numRuns: 40 },
    );
  });

  it('that are removed from the storage end in what those in memory end in that take events as long', async () => {
    const pages = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    const retained = fc.constantFrom(0, 7_000, 100_000);
    await fc.assert(
      fc.asyncProperty(commits, pages, retained, results, async (batches, pages, retainMs, results) => {
        const storage = openMemory();
        const own = { retainMs };
        let log = open(storage, { results }, 25, timeKinds, own);
        for (const [i, events] of batches.entries()) {
          await storage.commit([{ events }]);
          const page = pages[i % pages.length]!;
          if (page % 3 === 0) log = open(storage, { results }, page, timeKinds, own);
          await log.catchUp();
        }
        await log.finish();
        const events = distinct(batches);
        const memory = new WindowOperator({
          ...options,
          windows: windowsOf(timeKinds, { results, allowedLatenessMs: retainMs }),
        });
        const reader = new Reader();
        reader.take((memory.process(events) as Processed).updates);
        reader.take((memory.finish() as Processed).updates);
        const stored = await new Journal(storage).read();
        expect(stored.lines({ complete: true })).toEqual(reader.lines({ complete: true }));
        expect(log.operator.counts).toEqual(memory.counts);
        for (let i = 0; i < 20; i++) await log.tick();
        expect(await storage.list('window/')).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('lose and double nothing where a call fails, before or after it was applied', async () => {
    const failures = fc.array(fc.tuple(fc.nat(60), fc.boolean(), fc.boolean()), { maxLength: 6 });
    const pageEvents = fc.integer({ min: 1, max: 40 });
    await fc.assert(
      fc.asyncProperty(
        commits,
        failures,
        pageEvents,
        trigger,
        results,
        async (batches, failures, pageEvents, trigger, results) => {
          const storage = openMemory();
          for (const events of batches) await storage.commit([{ events }]);
          for (const [call, applied, goesOn] of failures) {
            const log = open(failsAt(storage, call, applied), { trigger, results }, pageEvents);
            await log.catchUp({ limit: 50 }).catch(ignoreCut);
            if (goesOn) await log.catchUp({ limit: 10 }).catch(ignoreCut);
          }
          await checkAll(storage, { trigger, results }, batches);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('lose and double nothing where the process dies before any of its calls', async () => {
    const worlds = fc
      .sample(commits, { seed: 7, numRuns: 50 })
      .filter((all) => all.length > 2 && all.every((batch) => batch.length > 2));
    // Small, for it is gone through once for each of its calls.
    const batches = worlds.map((all) => all.slice(0, 3).map((batch) => batch.slice(0, 2)))[0]!;
    const { tumbling, uneven, session, global, counted } = allKinds;
    const kinds = { tumbling, uneven, session, global, counted } as typeof allKinds;
    const window = { trigger: { on: 'change' }, results: 'deltas' } as const;
    const visit = async (storage: Storage, calls: Storage): Promise<void> => {
      for (const events of batches) {
        await storage.commit([{ events }]);
        await open(calls, window, 15, kinds).catchUp();
      }
      await open(calls, window, 15, kinds).finish();
    };
    let calls = 0;
    const whole = openMemory();
    await visit(
      whole,
      around(whole, (call) => (calls++, call())),
    );
    await checkAll(whole, window, batches, kinds);
    expect(calls).toBeGreaterThan(100);
    for (let n = 0; n < calls; n++) {
      const storage = openMemory();
      let made = 0;
      const dying = around(storage, (call) => {
        if (made++ < n) return call();
        throw cut;
      });
      await expect(visit(storage, dying)).rejects.toBe(cut);
      for (const events of batches) await storage.commit([{ events }]);
      await checkAll(storage, window, batches, kinds);
    }
  }, 60_000);

  it('of one name that race count each event once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), commits, results, async (scheduler, all, results) => {
        // Every call waits for its turn, so that a small world is many turns.
        const batches = all.slice(0, 4).map((batch) => batch.slice(0, 5));
        const storage = openMemory();
        const slow = around(storage, async (call) => {
          await scheduler.schedule(Promise.resolve());
          return call();
        });
        const logs = [open(slow, { results }, 12), open(slow, { results }, 7)];
        const running = logs.map(async (log, i) => {
          for (const [j, events] of batches.entries()) {
            if (j % 2 === i) await storage.commit([{ events }]);
            await log.catchUp({ limit: 20 });
            if (j === 2) await log.tick();
          }
          await log.catchUp();
        });
        await scheduler.waitFor(Promise.all(running));
        await checkAll(storage, { results }, batches);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});

/** Another process goes on, and ends in what a recount gives. */
async function checkAll(
  storage: Storage,
  window: Partial<StreamWindow>,
  batches: readonly (readonly Event[])[],
  kinds = allKinds,
): Promise<void> {
  const log = open(storage, window, 1000, kinds);
  await log.catchUp();
  await log.finish();
  const reader = await new Journal(storage).read();
  // Windows of counts go by the log's own order.
  const events = (await storage.read({ limit: 10_000 })).events.map(({ event }) => event);
  expect(events).toHaveLength(distinct(batches).length);
  expect(reader.lines({ complete: true })).toEqual(recount(kinds, events));
  expect(log.operator.counts.events).toBe(events.length);
}

const cut = new Error('the storage is gone');

function ignoreCut(error: unknown): void {
  if (error !== cut) throw error;
}

function failsAt(storage: Storage, n: number, applied: boolean): Storage {
  let calls = 0;
  return around(storage, async (call) => {
    const fails = calls++ === n;
    if (fails && !applied) throw cut;
    const value = await call();
    if (fails) throw cut;
    return value;
  });
}

/** The storage, of which each call goes through `through`. */
function around(storage: Storage, through: (call: () => unknown) => unknown): Storage {
  const calls = ['commit', 'read', 'get', 'list', 'producer'] as const;
  const wrapped = calls.map((name) => {
    const method = (storage[name] as (...given: unknown[]) => unknown).bind(storage);
    return [name, (...given: unknown[]) => through(() => method(...given))] as const;
  });
  return Object.assign(Object.create(storage) as Storage, Object.fromEntries(wrapped));
}
