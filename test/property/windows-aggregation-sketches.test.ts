/** That sketches keep to the errors that they state, against all values. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event/event.ts';
import { openAccumulator, openTable } from '../../src/windows/aggregations/accumulators.ts';
import { distinct } from '../../src/windows/aggregations/distinct.ts';
import { quantiles } from '../../src/windows/aggregations/quantiles.ts';
import { topK } from '../../src/windows/aggregations/top-k.ts';
import { addBatch, cut, draws, eventOf, eventsOf, hardNumber } from './windows-aggregation-world.ts';

describe('distinct', () => {
  it('is exact up to a sixteenth of its registers', () => {
    const one = openAccumulator(distinct('user'));
    for (let n = 1; n <= 256; n++) {
      for (const again of [n, Math.ceil(n / 2)])
        one.fold(one.read(eventOf('e', { user: `u-${again}` })));
      expect(one.result()).toBe(n);
    }
  });

  it.each([8, 10, 12])(
    'has the stated standard error at precision %i, for few and for many',
    (precision) => {
      const stated = 1.04 / Math.sqrt(2 ** precision);
      const sizes = [0.1, 0.5, 1, 2, 3, 5, 12].map((share) => Math.round(share * 2 ** precision));
      for (const size of sizes) {
        const errors = Array.from({ length: ROUNDS }, (_, round) => errorOf(precision, size, round));
        const square = errors.reduce((sum, error) => sum + error ** 2, 0) / ROUNDS;
        const mean = errors.reduce((sum, error) => sum + error, 0) / ROUNDS;
        // Of so many rounds, what is measured of a true standard error is within a third, and of the mean within a half.
        expect.soft(Math.sqrt(square), `${size} values`).toBeLessThan(1.35 * stated);
        expect.soft(Math.abs(mean), `${size} values`).toBeLessThan(0.5 * stated);
      }
    },
  );

  it('counts a million within four standard errors', () => {
    expect(Math.abs(errorOf(12, 1_000_000, 0))).toBeLessThan(4 * 0.01625);
  });
});

const ROUNDS = 50;

/** The relative error of a count of so many texts, or in every other round of so many numbers. */
function errorOf(precision: number, size: number, round: number): number {
  const one = openAccumulator(distinct((event) => event.data, { precision }));
  const event: { -readonly [Name in keyof Event]: Event[Name] } = { ...eventOf('e', null) };
  for (let n = 0; n < size; n++) {
    event.data = round % 2 === 0 ? `visitor-${round}-${n}` : round * 1_000_000 + n;
    one.fold(one.read(event));
  }
  return one.result() / size - 1;
}

describe('quantiles', () => {
  const of = [0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 1];

  it.each([0.001, 0.01, 0.05, 0.3])('are within the relative error %d of a sorted list', (error) => {
    const aggregation = quantiles('total', { of, error, buckets: 65_536 });
    fc.assert(
      fc.property(fc.array(hardNumber, { minLength: 1, maxLength: 60 }), (values) => {
        const one = openAccumulator(aggregation);
        for (const total of values) one.fold(one.read(eventOf('e', { total })));
        const sorted = values.toSorted((a, b) => a - b);
        for (const [name, found] of Object.entries(one.result())) {
          const quantile = Number(name.slice(1)) / 100;
          const exact = sorted[Math.floor(quantile * (sorted.length - 1))]!;
          const off = Math.abs(exact) < 2 ** -1022 ? found! : found! / exact - 1;
          expect(Math.abs(off)).toBeLessThanOrEqual(error * (1 + 1e-9));
        }
      }),
    );
  });

  it('double their error with each time that buckets are joined, and keep to that', () => {
    const aggregation = quantiles('total', { of, buckets: 32 });
    const number = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(fc.array(number, { minLength: 100, maxLength: 300 }), (values) => {
        const one = openAccumulator(aggregation);
        for (const total of values) one.fold(one.read(eventOf('e', { total })));
        const [joined, , positive] = one.state();
        expect(positive.length / 2).toBeLessThanOrEqual(32);
        expect(joined).toBeGreaterThan(0);
        const ratio = (1.01 / 0.99) ** (2 ** joined);
        const error = (ratio - 1) / (ratio + 1);
        const sorted = values.toSorted((a, b) => a - b);
        for (const [name, found] of Object.entries(one.result())) {
          const exact = sorted[Math.floor((Number(name.slice(1)) / 100) * (sorted.length - 1))]!;
          expect(Math.abs(found! / exact - 1)).toBeLessThanOrEqual(error * (1 + 1e-9));
        }
      }),
    );
  });

  it('are null of no numbers', () => {
    expect(openAccumulator(quantiles('total')).result()).toEqual({ p50: null, p95: null, p99: null });
  });
});

describe('topK beyond its capacity', () => {
  it('counts none too high and none too low by more than the error it states, and misses none above that', () => {
    const capacity = 5;
    const aggregation = topK('total', capacity, { capacity });
    const value = fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 4, max: 40 }));
    fc.assert(
      fc.property(
        eventsOf(
          value.map((total) => ({ total })),
          120,
        ),
        draws,
        (events, draw) => {
          const table = openTable(aggregation);
          table.grow(4);
          for (const part of cut(events, draw))
            addBatch(
              aggregation,
              table,
              part,
              part.map(() => draw(3)),
            );
          for (let row = 0; row < 3; row++) table.merge(3, table, row);
          expect(table.state(3)[1].length).toBeLessThanOrEqual(capacity);
          const { top, error } = table.result(3);
          expect(error).toBeLessThanOrEqual(events.length / (capacity + 1));
          const found = new Map(top.map((entry) => [entry.value, entry.count]));
          const values = events.map((event) => (event.data as { total: number }).total);
          for (const one of new Set(values)) {
            const exact = values.filter((other) => other === one).length;
            expect(found.get(one) ?? 0).toBeLessThanOrEqual(exact);
            expect(found.get(one) ?? 0).toBeGreaterThanOrEqual(exact - error);
          }
        },
      ),
    );
  });
});
