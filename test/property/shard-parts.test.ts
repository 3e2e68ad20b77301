/** The parts of a log over shards that only compute, each against an oracle of a few lines. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Count } from '../../src/windows/count.ts';
import type { WindowPage, WindowResult } from '../../src/windows/windowed-view.ts';
import { mergePages, type PlacedPage } from '../../workers/edge/sharding/merged-page.ts';
import { mergeWindows } from '../../workers/edge/sharding/merged-windows.ts';
import { partitionOf } from '../../workers/edge/sharding/partition.ts';
import { isProvablyNot } from '../../workers/edge/sharding/shard-map.ts';

describe('the partition', () => {
  const text = fc.string({ minLength: 1, maxLength: 12 });

  it('goes by correlation, else by subject, else by id, and by nothing else', () => {
    fc.assert(
      fc.property(text, text, text, text, fc.integer({ min: 1, max: 64 }), (id, other, a, b, shards) => {
        const of = (event: Parameters<typeof partitionOf>[0]) => partitionOf(event, shards);
        const place = of({ id, subject: undefined, correlationId: undefined });
        expect(place).toSatisfy((at: number) => Number.isInteger(at) && at >= 0 && at < shards);
        expect(of({ id: other, subject: id, correlationId: undefined })).toBe(place);
        expect(of({ id: other, subject: a, correlationId: id })).toBe(place);
        expect(of({ id: a, subject: b, correlationId: id })).toBe(place);
      }),
    );
  });

  it.each([2, 3, 4, 7, 16, 64])('spreads keys evenly over %i shards', (shards) => {
    const counts = Array.from({ length: shards }, () => 0);
    const keys = 1000 * shards;
    for (let i = 0; i < keys; i++) {
      const correlationId = `visitor-${i}`;
      counts[partitionOf({ id: 'e', subject: undefined, correlationId }, shards)]!++;
    }
    // Ten standard deviations of a fair lot: a bad hash is out by far more.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(10 * Math.sqrt(1000));
  });
});

describe('an id that is provably not in a sealed shard', () => {
  it('is a UUIDv7 greater than all that are', () => {
    const maxId = '01920000-0000-7000-8000-000000000000';
    expect(isProvablyNot('01920000-0000-7000-8000-000000000001', { head: 1, maxId })).toBe(true);
    expect(isProvablyNot('01910000-0000-7000-8000-000000000001', { head: 1, maxId })).toBe(false);
    expect(isProvablyNot(maxId, { head: 1, maxId })).toBe(false);
    expect(isProvablyNot('zzz', { head: 1, maxId })).toBe(false);
    // Another version says nothing about its time.
    expect(isProvablyNot('ffffffff-0000-4000-8000-000000000001', { head: 1, maxId })).toBe(false);
  });
});

describe('merged pages', () => {
  /** Of each shard, the times of its events. */
  const times = fc.array(fc.array(fc.nat(20), { maxLength: 12 }), { minLength: 1, maxLength: 4 });

  /** The oracle: always the earliest of what each has next; of those that are as early, the first shard's. */
  function merged(shards: readonly (readonly number[])[], forward: boolean): string[] {
    const left = shards.map((all, shard) => {
      const named = all.map((time, i) => ({ time: forward ? time : -time, name: `${shard}/${i + 1}` }));
      return forward ? named : named.toReversed();
    });
    const names: string[] = [];
    while (left.some((rest) => rest.length > 0)) {
      const heads = left.flatMap((rest) => (rest.length > 0 ? [rest] : []));
      const first = heads.reduce((best, rest) => (rest[0]!.time < best[0]!.time ? rest : best));
      names.push(first.shift()!.name);
    }
    return names;
  }

  /** As a shard gives it: `bound` events at the most, whatever was asked for. */
  function pageOf(
    all: readonly number[],
    shard: number,
    { from, limit, forward }: { from: number | undefined; limit: number; forward: boolean },
  ): PlacedPage {
    const positions = [...all.keys()].map((i) => i + 1);
    const behind = forward
      ? positions.filter((position) => position > (from ?? 0))
      : positions.toReversed().filter((position) => position < (from ?? Infinity));
    const taken = behind.slice(0, limit);
    return {
      lines: taken.map((position) => `${shard}/${position}`),
      positions: taken,
      times: taken.map((position) => all[position - 1]!),
      next: taken.at(-1) ?? from ?? 0,
      more: behind.length > taken.length,
      head: all.length,
    };
  }

  it('are one order, whatever their sizes, resumed from any place, in both directions', () => {
    const sizes = fc.record({
      limit: fc.integer({ min: 1, max: 9 }),
      bound: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(times, sizes, fc.boolean(), fc.nat(), (shards, { limit, bound }, forward, lot) => {
        const read = (start: readonly (number | undefined)[]): string[] => {
          const lines: string[] = [];
          for (let from = start; ;) {
            const pages = shards.map((all, i) =>
              pageOf(all, i, { from: from[i], limit: Math.min(limit, bound), forward }),
            );
            const direction = forward ? ('forward' as const) : ('backward' as const);
            const page = mergePages(pages, { limit, direction, from });
            expect(page.lines.length).toBeLessThanOrEqual(limit);
            lines.push(...page.lines);
            if (!page.more) return lines;
            expect(page.next, 'it comes further').not.toEqual(from);
            from = page.next;
          }
        };
        const oracle = merged(shards, forward);
        const start = shards.map(() => (forward ? 0 : undefined));
        expect(read(start)).toEqual(oracle);
        // From behind any event on, by what was taken of each shard until then.
        const cut = lot % (oracle.length + 1);
        const places: (number | undefined)[] = [...start];
        for (const name of oracle.slice(0, cut)) {
          const [shard, position] = name.split('/').map(Number);
          places[shard!] = position!;
        }
        expect(read(places)).toEqual(oracle.slice(cut));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('merged windows', () => {
  const counts = fc.array(
    fc.dictionary(
      fc
        .tuple(fc.integer({ min: -2, max: 3 }), fc.constantFrom('a', 'b', 'é'))
        .map((place) => JSON.stringify(place)),
      fc.integer({ min: 1, max: 9 }),
    ),
    { minLength: 1, maxLength: 4 },
  );
  const sorted = (places: Iterable<string>) =>
    [...new Set(places)]
      .map((place) => JSON.parse(place) as [number, string])
      .toSorted(([a, x], [b, y]) => a - b || (x < y ? -1 : x > y ? 1 : 0));

  it('count what all shards count, once, in pages of any size', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 7 }), (shards, limit) => {
        const pageOf = (
          shard: Readonly<Record<string, number>>,
          after: { start: number; key: string } | undefined,
        ): WindowPage<Count> => {
          const places = sorted(Object.keys(shard)).filter(
            ([start, key]) =>
              after === undefined || start > after.start || (start === after.start && key > after.key),
          );
          const results = places.slice(0, limit).map(([start, key]): WindowResult<Count> => {
            const count = shard[JSON.stringify([start, key])]!;
            return { window: { start, end: start + 1 }, key, value: { count }, revision: count };
          });
          const [start, key] = places[limit - 1] ?? [];
          return places.length > limit ? { results, next: { start: start!, key: key! } } : { results };
        };
        const got: unknown[] = [];
        for (let after: { start: number; key: string } | undefined; ;) {
          const page = mergeWindows(
            shards.map((shard) => pageOf(shard, after)),
            limit,
          );
          expect(page.results.length).toBeLessThanOrEqual(limit);
          got.push(
            ...page.results.map(({ window, key, value, revision }) => [
              window.start,
              key,
              value.count,
              revision,
            ]),
          );
          if (page.next === undefined) break;
          after = page.next;
        }
        const oracle = sorted(shards.flatMap((shard) => Object.keys(shard))).map(([start, key]) => {
          const count = shards.reduce(
            (sum, shard) => sum + (shard[JSON.stringify([start, key])] ?? 0),
            0,
          );
          return [start, key, count, count];
        });
        expect(got).toEqual(oracle);
      }),
    );
  });
});
