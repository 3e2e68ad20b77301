import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event/event.ts';
import type { JsonValue } from '../../src/storage/storage.ts';
import type { Aggregation } from '../../src/windows/aggregation.ts';
import { aggregate } from '../../src/windows/aggregations/aggregate.ts';
import { avg } from '../../src/windows/aggregations/average.ts';
import { collect } from '../../src/windows/aggregations/collect.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { distinct } from '../../src/windows/aggregations/distinct.ts';
import { max, min } from '../../src/windows/aggregations/extremes.ts';
import { first, last } from '../../src/windows/aggregations/first-last.ts';
import { operationOn, type Operation } from '../../src/windows/aggregations/operation.ts';
import { quantiles } from '../../src/windows/aggregations/quantiles.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import { topK } from '../../src/windows/aggregations/top-k.ts';
import { openTable } from '../../src/windows/aggregations/accumulators.ts';
import {
  addBatch,
  cut,
  draws,
  eventsOf,
  hardNumber,
  orders,
  statesBy,
} from './windows-aggregation-world.ts';

type Oracle = (values: readonly JsonValue[], events: readonly Event[]) => unknown;
interface Case {
  readonly aggregation: Aggregation<JsonValue, unknown>;
  readonly oracle: Oracle;
  readonly values?: fc.Arbitrary<unknown>;
}

const smallText = fc.constantFrom('a', 'b', 'c', 1, '1', true, { a: 1, b: [2] }, { b: [2], a: 1 }, [1]);
const byPlace = (events: readonly Event[]): Event[] =>
  events.toSorted((a, b) => a.timestamp - b.timestamp || (a.id < b.id ? -1 : 1));
const least = (values: readonly JsonValue[]) =>
  values.length === 0 ? null : values.reduce((a, b) => (b! < a! ? b : a));

const cases: Readonly<Record<string, Case>> = {
  'count()': { aggregation: count(), oracle: (_values, events) => events.length },
  'count(field)': { aggregation: count('total'), oracle: (values) => values.length, values: smallText },
  sum: { aggregation: sum('total'), oracle: (values) => exactSum(values as number[]) },
  'sum by a function': {
    aggregation: sum((event) => (event.data as { total?: number } | null)?.total),
    oracle: (values) => exactSum(values as number[]),
  },
  avg: { aggregation: avg('total'), oracle: (values) => mean(values as number[]) },
  min: { aggregation: min('total'), oracle: least },
  max: {
    aggregation: max('total'),
    oracle: (values) => (values.length === 0 ? null : values.reduce((a, b) => (b! > a! ? b : a))),
  },
  first: {
    aggregation: first('total'),
    oracle: (_values, events) => valuesOf(byPlace(events))[0] ?? null,
    values: smallText,
  },
  last: {
    aggregation: last('total'),
    oracle: (_values, events) => valuesOf(byPlace(events)).at(-1) ?? null,
    values: smallText,
  },
  collect: {
    aggregation: collect('total', { limit: 7 }),
    oracle: (values, events) => ({
      values: valuesOf(byPlace(events)).slice(0, 7),
      cut: Math.max(0, values.length - 7),
    }),
    values: smallText,
  },
  'distinct, few': {
    aggregation: distinct('total'),
    oracle: (values) => new Set(values.map(keyOf)).size,
    values: smallText,
  },
  'topK within its capacity': {
    aggregation: topK('total', 3),
    oracle: (values) => ({ top: mostFrequent(values).slice(0, 3), error: 0 }),
    values: smallText,
  },
  'several under names, one of them one’s own': {
    aggregation: aggregate({
      own: withoutTable(count()),
      total: sum('total'),
      values: distinct('total'),
      nested: aggregate({ least: min('total'), events: count() }),
    }),
    oracle: (values, events) => ({
      own: events.length,
      total: exactSum(values as number[]),
      values: new Set(values).size,
      nested: { least: least(values), events: events.length },
    }),
  },
};

describe.each(Object.entries(cases))('%s', (_name, { aggregation, oracle, values = hardNumber }) => {
  it('has one state in any order, split, tree of merges and form, and the result of a recount', () => {
    fc.assert(
      fc.property(eventsOf(orders(values)), draws, (events, draw) => {
        const states = statesBy(aggregation, events, draw);
        expect(states).toEqual(allLike(Object.values(states)[0]!, states));
        const state = JSON.parse(Object.values(states)[0]!) as JsonValue;
        const expected = oracle(valuesOf(events), events);
        expect(aggregation.result(state)).toEqual(expected);
        const table = openTable(aggregation);
        table.grow(2);
        addBatch(
          aggregation,
          table,
          events,
          events.map(() => 1),
        );
        expect(table.result(1)).toEqual(expected);
        expect(table.state(0)).toEqual(aggregation.initial());
        expect(table.result(0)).toEqual(aggregation.result(aggregation.initial()));
      }),
    );
  });
});

describe('sketches beyond what they hold exactly', () => {
  it.each<readonly [string, Aggregation<JsonValue, unknown>]>([
    ['distinct', distinct('total', { precision: 4 })],
    ['quantiles', quantiles('total')],
    ['quantiles whose buckets are joined', quantiles('total', { buckets: 16 })],
  ])('%s has one state in any order, split, tree of merges and form', (_name, aggregation) => {
    fc.assert(
      fc.property(eventsOf(orders(hardNumber), 120, 60), draws, (events, draw) => {
        const states = statesBy(aggregation, events, draw);
        expect(states).toEqual(allLike(Object.values(states)[0]!, states));
      }),
    );
  });
});

describe('what is subtracted was never there', () => {
  it.each<readonly [string, Aggregation<JsonValue, unknown>]>([
    ['count', count()],
    ['sum', sum('total')],
    ['avg', avg('total')],
    ['several', aggregate({ events: count(), total: sum('total'), mean: avg('total') })],
    ['an operation', operationOn('total', 'sum')],
  ])('%s', (_name, aggregation) => {
    fc.assert(
      fc.property(eventsOf(orders(hardNumber)), draws, (events, draw) => {
        const [kept = [], ...others] = cut(events, draw);
        const fold = (some: readonly Event[]): JsonValue =>
          some.reduce((state, event) => aggregation.add(state, event), aggregation.initial());
        const gone = others.flat();
        const expected = JSON.stringify(fold(kept));
        expect(JSON.stringify(aggregation.subtract!(fold(events), fold(gone)))).toBe(expected);
        const table = openTable(aggregation);
        table.grow(2);
        addBatch(
          aggregation,
          table,
          events,
          events.map(() => 0),
        );
        addBatch(
          aggregation,
          table,
          gone,
          gone.map(() => 1),
        );
        table.subtract!(0, table, 1);
        expect(JSON.stringify(table.state(0))).toBe(expected);
      }),
    );
  });
});

describe('an operation on a field, as the specification has it', () => {
  it.each<Operation>(['sum', 'avg', 'min', 'max', 'count'])('%s', (operation) => {
    const aggregation = operationOn('total', operation);
    const { oracle } = cases[operation === 'count' ? 'count(field)' : operation]!;
    fc.assert(
      fc.property(eventsOf(orders(hardNumber)), draws, (events, draw) => {
        const [state, ...others] = new Set(Object.values(statesBy(aggregation, events, draw)));
        expect(others).toEqual([]);
        const values = valuesOf(events);
        const none = values.length === 0;
        const total = none ? null : oracle(values, events);
        const result = aggregation.result(JSON.parse(state!) as never);
        expect(result).toEqual({ total, count: values.length });
      }),
    );
  });
});

/** What the states by each way must be, if one is this. */
function allLike(state: string, states: Readonly<Record<string, string>>) {
  return Object.fromEntries(Object.keys(states).map((way) => [way, state]));
}

/** The field's values that are there, as JSON has them: without -0. */
function valuesOf(events: readonly Event[]): JsonValue[] {
  return events.flatMap(({ data }) => {
    const value = (data as { total?: JsonValue } | null)?.total;
    return value === undefined || value === null ? [] : [value === 0 ? 0 : value];
  });
}

/** What one writes oneself: the plain form alone. */
function withoutTable({ initial, add, merge, result }: Aggregation<number, number>) {
  return { initial, add, merge, result };
}

/** Equal for equal JSON: objects here have but the keys a and b. */
function keyOf(value: JsonValue): string {
  return JSON.stringify(value, typeof value === 'object' && !Array.isArray(value) ? ['a', 'b'] : null);
}

function mostFrequent(values: readonly JsonValue[]) {
  const keys = values.map(keyOf);
  return [...new Set(keys)]
    .map((key) => ({
      value: JSON.parse(key) as JsonValue,
      count: keys.filter((k) => k === key).length,
      key,
    }))
    .toSorted((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
    .map(({ value, count }) => ({ value, count }));
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : exactSum(values) / values.length;
}

/** In steps of 2^-1074, the least double. */
function steps(value: number): bigint {
  let [whole, places] = [value, 0];
  for (; !Number.isInteger(whole); places++) whole *= 2;
  return BigInt(whole) << BigInt(1074 - places);
}

/** The double that is nearest to the sum of all steps, found by halving the doubles in between. */
function exactSum(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + steps(value), 0n);
  const magnitude = sum < 0n ? -sum : sum;
  if (magnitude >= steps(Number.MAX_VALUE) + (1n << (970n + 1074n)))
    return sum < 0n ? -Infinity : Infinity;
  const bits = new BigUint64Array(1);
  const double = new Float64Array(bits.buffer);
  const at = (pattern: bigint): number => ((bits[0] = pattern), double[0]!);
  let [low, high] = [0n, 0x7fef_ffff_ffff_ffffn];
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if (steps(at(middle)) <= magnitude) low = middle;
    else high = middle - 1n;
  }
  if (low < 0x7fef_ffff_ffff_ffffn) {
    const below = magnitude - steps(at(low));
    const above = steps(at(low + 1n)) - magnitude;
    if (above < below || (above === below && low % 2n === 1n)) low += 1n;
  }
  return sum < 0n ? 0 - at(low) : at(low);
}
