/** Windows in memory alone: whatever order, lateness and batching, a reader ends with what a recount gives. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamWindow } from '../../src/windows/operator-options.ts';
import { WindowOperator } from '../../src/windows/window-operator.ts';
import type { Processed } from '../../src/windows/window-update.ts';
import {
  allKinds,
  commits,
  distinct,
  options,
  Reader,
  recount,
  recountWithin,
  timeKinds,
  windowsOf,
} from './windows-world.ts';

/** As long as a late event of the world may take. */
const FOR_LONG = 90 * 86_400_000;

const trigger = fc.constantFrom<StreamWindow['trigger']>(
  undefined,
  { on: 'change' },
  { on: 'count', every: 3 },
  { on: 'interval', everyMs: 1000 },
);
const results = fc.constantFrom<StreamWindow['results']>(undefined, 'deltas');

describe('windows in memory', () => {
  it('end in what a recount gives, in any order and batching, by any trigger', () => {
    fc.assert(
      fc.property(commits, trigger, results, (batches, trigger, results) => {
        const kinds = allKinds;
        const windows = windowsOf(kinds, { trigger, results, allowedLatenessMs: FOR_LONG });
        let now = options.ports.now();
        const operator = new WindowOperator({ ...options, windows, ports: { now: () => (now += 400) } });
        const reader = new Reader();
        const seen = new Set<string>();
        for (const batch of batches) {
          const fresh = batch.filter(({ id }) => !seen.has(id) && seen.add(id));
          reader.take(processed(operator.process(fresh)).updates);
        }
        reader.take(processed(operator.finish()).updates);
        expect(reader.lines({ complete: true })).toEqual(recount(kinds, distinct(batches)));
        expect(operator.size).toEqual({ keys: 0, rows: 0 });
      }),
    );
  });

  it('count what came too late, and nothing else, however the stream is split', () => {
    fc.assert(
      fc.property(
        commits,
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(0, 7_000),
        (batches, size, allowedLatenessMs) => {
          const events = distinct(batches);
          const outcomes = [1, size, events.length + 1].map((n) => {
            const windows = windowsOf(timeKinds, { allowedLatenessMs });
            const operator = new WindowOperator({ ...options, windows });
            const reader = new Reader();
            const late: string[] = [];
            const take = (step: Processed): void => {
              reader.take(step.updates);
              late.push(...step.late.map((one) => `${one.name} ${one.event.id} ${one.watermark}`));
            };
            for (let i = 0; i < events.length; i += n)
              take(processed(operator.process(events.slice(i, i + n))));
            take(processed(operator.finish()));
            expect(operator.counts.late).toBe(late.length);
            expect(operator.size).toEqual({ keys: 0, rows: 0 });
            return { lines: reader.lines(), late: late.toSorted() };
          });
          expect(outcomes[1]).toEqual(outcomes[0]);
          expect(outcomes[2]).toEqual(outcomes[0]);
          const sliced = ([name]: readonly [string, unknown]) => name !== 'session';
          const kinds = Object.fromEntries(Object.entries(timeKinds).filter(sliced));
          const isSliced = (one: string): boolean => !one.includes('session');
          const expected = recountWithin(kinds, events, allowedLatenessMs);
          expect(outcomes[0]!.lines.filter(isSliced)).toEqual(expected.lines);
          expect(outcomes[0]!.late.filter(isSliced)).toEqual(expected.late);
        },
      ),
    );
  });
});

function processed(step: Processed | Promise<Processed>): Processed {
  if (step instanceof Promise) throw new Error('without a storage, the answer is at hand');
  return step;
}
