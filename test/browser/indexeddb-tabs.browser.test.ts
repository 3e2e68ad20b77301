import fc from 'fast-check';
import { deleteDB } from 'idb';
import { describe, expect, it } from 'vitest';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import type { Commit, Storage } from '../../src/storage/storage.ts';
import { Sample } from '../../src/storage/laws/sample.ts';

let logs = 0;

/** One log, open in two tabs' stead. */
async function inTwoTabs(run: (tabs: readonly [Storage, Storage]) => Promise<void>): Promise<void> {
  const log = `tabs-${Date.now()}-${++logs}`;
  const tabs = [await openIndexedDb({ log }), await openIndexedDb({ log })] as const;
  try {
    await run(tabs);
  } finally {
    for (const tab of tabs) await tab.close();
    await deleteDB(`millrace:${log}`);
  }
}

/** By whom, how many events, and whether before the answer to the step before. */
const steps = fc.array(
  fc.record({
    tab: fc.constantFrom(0 as const, 1 as const),
    what: fc.oneof(
      { weight: 6, arbitrary: fc.record({ events: fc.integer({ min: 1, max: 3 }) }) },
      { weight: 1, arbitrary: fc.constant('compact' as const) },
      { weight: 1, arbitrary: fc.constant('trim' as const) },
    ),
    together: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

describe('a log that several tabs write', () => {
  it('is one log, whoever wrote last: each event once, where its commit said', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 10_000 }), (plan, seed) =>
        inTwoTabs(async (tabs) => {
          const sample = new Sample(seed);
          const placed = new Map<number, string>();
          let trimmed = 0;
          const running: Promise<unknown>[] = [];
          for (const { tab, what, together } of plan) {
            if (!together) await Promise.all(running.splice(0));
            const storage = tabs[tab];
            if (what === 'compact') running.push(Promise.resolve(storage.compact()));
            else if (what === 'trim') {
              trimmed = Math.max(trimmed, placed.size >> 1);
              running.push(Promise.resolve(storage.trim(trimmed)));
            } else {
              const events = sample.events(what.events);
              running.push(
                Promise.resolve(storage.commit([{ events }])).then(([result]) => {
                  if (!result?.ok) throw new Error('a commit was refused');
                  for (const [i, at] of result.positions.entries()) {
                    if (placed.has(at)) throw new Error(`two events stand at ${at}`);
                    placed.set(at, events[i]!.id);
                  }
                }),
              );
            }
          }
          await Promise.all(running);
          for (const storage of tabs) {
            const { events, head } = await storage.read({ limit: 1_000 });
            expect(head).toBe(placed.size);
            const from = (await storage.stats()).trimmed;
            expect(events.map(({ position, event }) => [position, event.id])).toEqual(
              [...placed].filter(([at]) => at > from).toSorted(([a], [b]) => a - b),
            );
          }
        }),
      ),
      { numRuns: 40 },
    );
  });

  it('lets one of two win that expect the same version, and tells the other', async () => {
    await inTwoTabs(async ([a, b]) => {
      const sample = new Sample(7);
      const claim = (version: number): Commit => {
        const [event] = sample.events(1);
        return {
          events: [{ ...event!, subject: 'cart-1' }],
          expect: [{ subject: 'cart-1', version }],
        };
      };
      for (let version = 0; version < 5; version++) {
        const results = await Promise.all([a.commit([claim(version)]), b.commit([claim(version)])]);
        expect(results.flat().filter(({ ok }) => ok)).toHaveLength(1);
        expect(await a.version('cart-1')).toBe(version + 1);
      }
    });
  });

  it('takes nothing back of what another tab wrote while this one slept', async () => {
    await inTwoTabs(async ([a, b]) => {
      const sample = new Sample(9);
      const first = sample.events(2);
      await a.commit([{ events: first }]);
      for (let n = 0; n < 3; n++) await b.commit([{ events: sample.events(20) }]);
      await b.trim(30);
      await b.compact();
      const [again] = await a.commit([{ events: [...sample.events(1), first[0]!] }]);
      expect(again).toMatchObject({ ok: true, positions: [63, 64] });
      expect(await a.stats()).toMatchObject({ head: 64, trimmed: 30, events: 34 });
    });
  });
});
