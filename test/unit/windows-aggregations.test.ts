import { describe, expect, it, vi } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import type { JsonValue } from '../../src/storage/storage.ts';
import type { Aggregation, StateTable } from '../../src/windows/aggregation.ts';
import { openTable } from '../../src/windows/aggregations/accumulators.ts';
import { aggregate, mapResult } from '../../src/windows/aggregations/aggregate.ts';
import { avg } from '../../src/windows/aggregations/average.ts';
import { collect } from '../../src/windows/aggregations/collect.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { distinct } from '../../src/windows/aggregations/distinct.ts';
import type { ExactState } from '../../src/windows/aggregations/exact.ts';
import { max, min } from '../../src/windows/aggregations/extremes.ts';
import { first } from '../../src/windows/aggregations/first-last.ts';
import { operationOn } from '../../src/windows/aggregations/operation.ts';
import { quantiles } from '../../src/windows/aggregations/quantiles.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import { topK } from '../../src/windows/aggregations/top-k.ts';
import { addBatch, eventOf } from '../property/windows-aggregation-world.ts';

type Any = Aggregation<JsonValue, unknown>;

const totals = (...all: readonly unknown[]) => all.map((total, i) => eventOf(`e-${i}`, { total }));

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a value that is no finite number', () => {
  const aggregations: readonly (readonly [string, Any])[] = [
    ['sum', sum('item.price')],
    ['avg', avg('item.price')],
    ['min', min('item.price')],
    ['max', max('item.price')],
    ['quantiles', quantiles('item.price')],
    ['several', aggregate({ count: count(), total: sum('item.price') })],
    ['an operation', operationOn('item.price', 'avg')],
  ];

  it.each(aggregations)(
    'is refused by %s with the event, the field and the value',
    (_name, aggregation) => {
      for (const price of ['12', true, Number.NaN, Infinity, {}, [1]]) {
        const event = eventOf('e-1', { item: { price } });
        const error = caught(() => aggregation.add(aggregation.initial(), event));
        const value = Array.isArray(price)
          ? 'an array'
          : typeof price === 'object'
            ? 'an object'
            : price;
        if (!hasCode(error, 'value.invalid')) throw error;
        expect(error.details).toMatchObject({ event: 'e-1', field: 'item.price', value });
        expect(error.message).toMatch(
          /^item\.price of the event e-1 must be a finite number, or missing: got /,
        );
      }
    },
  );

  it('is refused by an input before anything is folded', () => {
    for (const field of [
      'total',
      (event: { data: unknown }) => (event.data as { total: unknown }).total,
    ]) {
      const [input] = sum(field).inputs!;
      expect(input!.read(eventOf('e', { total: 2 }))).toBe(2);
      expect(input!.read(eventOf('e', { total: null }))).toBeNaN();
      expect(
        hasCode(
          caught(() => input!.read(eventOf('e', { total: 'x' }))),
          'value.invalid',
        ),
      ).toBe(true);
    }
  });
});

describe('a field', () => {
  const read = (path: string, data: unknown) => sum(path).inputs![0]!.read(eventOf('e', data));

  it('is found along its path, in the data’s own keys alone', () => {
    expect(read('lines.1.price', { lines: [{}, { price: 7 }] })).toBe(7);
    expect(read('a.b', { a: null })).toBeNaN();
    expect(read('a.b', { a: 'text' })).toBeNaN();
    expect(read('constructor', {})).toBeNaN();
    expect(read('constructor.length', {})).toBeNaN();
    expect(read('__proto__', {})).toBeNaN();
    expect(read('length', 'text')).toBeNaN();
    expect(read('total', null)).toBeNaN();
  });

  it.each(['', '.', 'a..b', 'a.', 'x'.repeat(257), 7 as unknown as string])(
    'is refused as %j',
    (field) => {
      expect(
        hasCode(
          caught(() => sum(field)),
          'query.invalid',
        ),
      ).toBe(true);
      expect(
        hasCode(
          caught(() => distinct(field)),
          'query.invalid',
        ),
      ).toBe(true);
    },
  );

  it('read by several is one input', () => {
    const one = aggregate({
      total: sum('a'),
      mean: avg('a'),
      least: min('a'),
      other: max('b'),
      all: count(),
    });
    expect(one.inputs!.map(({ field }) => field)).toEqual(['a', 'b']);
  });
});

it('definitions that cannot be are refused', () => {
  const wrong: readonly (() => unknown)[] = [
    () => aggregate({}),
    () => operationOn('total', 'median' as 'sum'),
    () => operationOn('total', 'toString' as 'sum'),
    () => collect('a', { limit: 0 }),
    () => collect('a', { limit: 10_001 }),
    () => distinct('a', { precision: 3 }),
    () => distinct('a', { precision: 12.5 }),
    () => topK('a', 0),
    () => topK('a', 10, { capacity: 9 }),
    () => topK('a', 10, { capacity: 1e9 }),
    () => quantiles('a', { of: [1.01] }),
    () => quantiles('a', { of: [Number.NaN] }),
    () => quantiles('a', { error: 0 }),
    () => quantiles('a', { buckets: 15 }),
  ];
  expect(wrong.filter((define) => !hasCode(caught(define), 'query.invalid'))).toEqual([]);
});

describe('sums', () => {
  /** In steps of 2^-80, of which all values here are whole multiples. */
  const steps = (value: number) => BigInt(value * 2 ** 80);

  function mustBe(table: StateTable<ExactState, number>, row: number, sum: bigint): void {
    const [digits, exponent] = String(table.state(row)).split('p');
    expect(BigInt(`0x${digits}`) << BigInt(Number(exponent) + 80)).toBe(sum);
    expect(table.result(row)).toBe(Number(sum) / 2 ** 80);
  }

  it('of parts stay exact however long they are carried on', () => {
    const total = sum('total');
    const table = openTable(total);
    table.grow(2);
    const values = [0.499_999_999_9, 0.01, 19.99, -0.3, 0.45, 1e-8, 1.3e-8, 1.7e-8];
    const all = Array.from({ length: 4000 }, (_, i) => values[i % values.length]!);
    addBatch(total, table, totals(...all), Array<number>(4000).fill(0));
    const sums: [bigint, bigint] = [all.reduce((whole, value) => whole + steps(value), 0n), 0n];
    mustBe(table, 0, sums[0]);
    // Each grows as Fibonacci's numbers do, to 10^9 times what it was.
    for (let turn = 0; turn < 44; turn++) {
      const into = (turn + 1) % 2;
      table.merge(into, table, 1 - into);
      sums[into]! += sums[1 - into]!;
      mustBe(table, into, sums[into]!);
    }
  });

  it('of whole numbers stay exact beyond what a double holds', () => {
    const total = sum('total');
    const table = openTable(total);
    table.grow(1);
    const value = 2 ** 40 + 1;
    const events = totals(...Array<number>(1000).fill(value), 0.25);
    for (let batch = 0; batch < 64; batch++)
      addBatch(total, table, events.slice(0, 1000), Array<number>(1000).fill(0));
    addBatch(total, table, events.slice(1000), [0]);
    mustBe(table, 0, steps(value) * 64_000n + steps(0.25));
  });

  it('give back what is small when what is great is taken out', () => {
    const table = openTable(sum('total'));
    table.grow(2);
    addBatch(sum('total'), table, totals(1e300, 0.1, 0.2, -1e300), [0, 0, 1, 0]);
    expect(table.result(0)).toBe(0.1);
    expect(table.state(0)).toBe(0.1);
    table.merge(0, table, 1);
    expect(table.result(0)).toBe(0.1 + 0.2);
    table.clear(0);
    expect(table.state(0)).toBe(0);
  });

  it('are an infinity beyond the greatest double, and come back', () => {
    const total = sum('total');
    const state = totals(Number.MAX_VALUE, Number.MAX_VALUE).reduce(total.add, total.initial());
    expect(total.result(state)).toBe(Infinity);
    expect(total.result(total.add(state, totals(-Number.MAX_VALUE)[0]!))).toBe(Number.MAX_VALUE);
  });
});

describe('a table', () => {
  const failing: Aggregation<number, number> = {
    initial: () => 0,
    add(state, event) {
      const { total } = event.data as { total: number };
      if (total < 0) throw new RangeError(`no order costs ${total}`);
      return state + total;
    },
    merge: (left, right) => left + right,
    result: (state) => state,
  };

  it('tells of events that one’s own aggregation refuses, which change nothing in any part of it', () => {
    const several = aggregate({
      events: count(),
      before: distinct('total'),
      own: failing,
      nested: aggregate({ again: failing, values: collect('total') }),
      total: sum('total'),
    });
    const table = openTable(several);
    table.grow(2);
    const failed = vi.fn<(index: number, error: unknown) => void>();
    addBatch(several, table, totals(1, -2, 3, -4, 5), [0, 0, 1, 1, 1], failed);
    expect(failed.mock.calls.map(([index, error]) => [index, String(error)])).toEqual([
      [1, 'RangeError: no order costs -2'],
      [3, 'RangeError: no order costs -4'],
    ]);
    const nested = { again: 8, values: { values: [3, 5], cut: 0 } };
    expect(table.result(1)).toEqual({ events: 2, before: 2, own: 8, nested, total: 8 });
    expect(table.result(0)).toMatchObject({ events: 1, own: 1, total: 1 });
  });

  it('keeps its rows when it grows, and forgets one that is cleared', () => {
    const several = aggregate({
      n: count(),
      most: max('total'),
      total: sum('total'),
      seen: distinct('total'),
    });
    const table = openTable(several);
    table.grow(1);
    addBatch(several, table, totals(-1.5, 1e300), [0, 0]);
    const state = JSON.stringify(table.state(0));
    table.grow(100);
    expect(JSON.stringify(table.state(0))).toBe(state);
    expect(table.state(99)).toEqual(several.initial());
    table.clear(0);
    expect(table.state(0)).toEqual(several.initial());
  });

  it('of a mapped aggregation has the mapped results', () => {
    const doubled = mapResult(count(), (n) => ({ twice: 2 * n }));
    const table = openTable(doubled);
    table.grow(1);
    addBatch(doubled, table, totals(1, 2), [0, 0]);
    expect(table.result(0)).toEqual({ twice: 4 });
    expect(doubled.result(2)).toEqual({ twice: 4 });
  });
});

it('topK keeps to its capacity when it merges, and says by how much its counts are low', () => {
  const top = topK('total', 2, { capacity: 2 });
  const fold = (...all: readonly string[]) => totals(...all).reduce(top.add, top.initial());
  const merged = top.merge(fold('a', 'a', 'a', 'a', 'b', 'b', 'b'), fold('c', 'c', 'd', 'd', 'a'));
  // a, c and d were more than two: each gave one up. Then a 4, b 3, c 1, d 1 gave up one more.
  expect(merged).toEqual([
    2,
    [
      ['"a"', 3],
      ['"b"', 2],
    ],
  ]);
  const even = top.merge(fold('a', 'a', 'a', 'b', 'b', 'b', 'b'), fold('c', 'c', 'd', 'd'));
  expect(top.result(even)).toEqual({
    top: [
      { value: 'b', count: 2 },
      { value: 'a', count: 1 },
    ],
    error: 2,
  });
});

it('a value longer than topK takes is refused, not cut', () => {
  const top = topK('total', 1);
  const [fits, not] = totals('x'.repeat(1022), 'x'.repeat(1023));
  expect(top.result(top.add(top.initial(), fits!)).top).toHaveLength(1);
  expect(
    hasCode(
      caught(() => top.add(top.initial(), not!)),
      'value.invalid',
    ),
  ).toBe(true);
});

it('an extractor that throws is an event that failed', () => {
  const broken = first((event) => (event.data as { user: { id: string } }).user.id);
  const table = openTable(broken);
  table.grow(1);
  const failed = vi.fn<(index: number, error: unknown) => void>();
  addBatch(broken, table, totals(1), [0], failed);
  expect(failed).toHaveBeenCalledOnce();
  expect(table.result(0)).toBeNull();
});
