/**
 * What aggregations cost an event, beside loops as one writes them by hand. Every result is checked against the loop's,
 * or for a sketch against its stated error, before anything is timed.
 */
import type { Event } from '../../src/event/event.ts';
import type { JsonValue } from '../../src/storage/storage.ts';
import type { Aggregation, NumberInput } from '../../src/windows/aggregation.ts';
import { openTable } from '../../src/windows/aggregations/accumulators.ts';
import { aggregate } from '../../src/windows/aggregations/aggregate.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { distinct } from '../../src/windows/aggregations/distinct.ts';
import { max } from '../../src/windows/aggregations/extremes.ts';
import { quantiles } from '../../src/windows/aggregations/quantiles.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import type { Bench, Row } from './table.ts';
import { alternate, mustEqual } from './timing.ts';

const EVENTS = 200_000;
const CHUNK = 1024;
const KEYS = 1000;
const REPEATS = 5;
const ROUNDS = 7;
const USERS = 50_000;

interface Order {
  readonly whole: number;
  readonly cents: number;
  readonly user: string;
}

const events: readonly Event[] = Array.from({ length: EVENTS }, (_, i) => ({
  id: `e-${i}`,
  type: 'order.placed',
  data: orderOf(i),
  timestamp: i,
  source: `user-${(i * 7919) % KEYS}`,
  priority: 2,
}));

function orderOf(i: number): Order {
  const mixed = Math.imul(i + 1, 0x9e37_79b1) >>> 0;
  return { whole: mixed % 100_000, cents: (mixed % 999_983) / 100, user: `visitor-${mixed % USERS}` };
}

const rows = Int32Array.from(events, (_, i) => (i * 7919) % KEYS);

const bench: Bench = {
  name: 'aggregations',
  async run() {
    return [
      ...(await columnRows()),
      await threeRow(),
      await sketchRow('distinct, against a Set of all', distinct('user'), bySets, 4 * 0.01625),
      await sketchRow(
        'p50, against all numbers sorted',
        quantiles('cents', { of: [0.5] }),
        bySorting,
        0.01,
      ),
    ];
  },
};

/** One aggregation over columns that are there already. */
async function columnRows(): Promise<Row[]> {
  const cases: readonly (readonly [string, Aggregation<JsonValue, unknown>, 'whole' | 'cents', Loop])[] =
    [
      ['count', count(), 'whole', countLoop],
      ['sum of whole numbers', sum('whole'), 'whole', sumLoop],
      ['sum of cents, exact', sum('cents'), 'cents', sumLoop],
      ['max', max('cents'), 'cents', maxLoop],
    ];
  const all: Row[] = [];
  for (const [name, aggregation, field, loop] of cases) {
    const values = Float64Array.from(events, ({ data }) => (data as Order)[field]);
    const cells = new Float64Array(KEYS);
    const numbers = aggregation.inputs === undefined ? [] : [values];
    const ours = () => fold(aggregation, numbers, REPEATS);
    const byHand = () => {
      cells.fill(0);
      for (let n = 0; n < REPEATS; n++) loop(cells, values);
    };
    byHand();
    const table = ours();
    for (let row = 0; row < KEYS; row++) mustBeNear(table.result(row), cells[row]!, 1e-9, name);
    const times = await alternate({ ours, byHand }, ROUNDS);
    all.push(row(`${name}, on columns, against one loop`, times));
  }
  return all;
}

type Loop = (cells: Float64Array, values: Float64Array) => void;

const countLoop: Loop = (cells) => {
  for (let i = 0; i < EVENTS; i++) cells[rows[i]!]! += 1;
};

const sumLoop: Loop = (cells, values) => {
  for (let i = 0; i < EVENTS; i++) cells[rows[i]!]! += values[i]!;
};

const maxLoop: Loop = (cells, values) => {
  for (let i = 0; i < EVENTS; i++) if (values[i]! > cells[rows[i]!]!) cells[rows[i]!] = values[i]!;
};

/** Three at a time from the events themselves, against objects in a Map. */
async function threeRow(): Promise<Row> {
  const three = aggregate({ count: count(), total: sum('whole'), most: max('whole') });
  const ours = () => fold(three, undefined, REPEATS);
  const table = ours();
  for (const [key, { count: n, total, most }] of byMap()) {
    const { count: found, total: foundTotal, most: foundMost } = table.result(rows[Number(key)]!);
    mustEqual(`${found} ${foundTotal} ${foundMost}`, `${n} ${total} ${most}`, `row of ${key}`);
  }
  const times = await alternate({ ours, byHand: byMap }, ROUNDS);
  return row('count, sum and max of 1,000 keys, reading included, against a Map by hand', times, '<=1');
}

interface Three {
  count: number;
  total: number;
  most: number;
}

/** By the first event of each row. */
function byMap(): Map<number, Three> {
  const found = new Map<string, Three>();
  const firsts = new Map<string, number>();
  for (let n = 0; n < REPEATS; n++) {
    for (const [i, { source, data }] of events.entries()) {
      const { whole } = data as Order;
      const three = found.get(source);
      if (three === undefined) {
        found.set(source, { count: 1, total: whole, most: whole });
        firsts.set(source, i);
        continue;
      }
      three.count += 1;
      three.total += whole;
      if (whole > three.most) three.most = whole;
    }
  }
  return new Map([...found].map(([source, three]) => [firsts.get(source)!, three]));
}

async function sketchRow(
  name: string,
  aggregation: Aggregation<JsonValue, unknown>,
  byHand: () => number,
  error: number,
): Promise<Row> {
  const ours = () => {
    const table = openTable(aggregation);
    table.grow(1);
    table.addAll(new Int32Array(EVENTS), { length: EVENTS, events, numbers: [], failed });
    const result = table.result(0);
    return typeof result === 'number' ? result : (result as { p50: number }).p50;
  };
  mustBeNear(ours(), byHand(), error, name);
  return row(name, await alternate({ ours, byHand }, ROUNDS), '', 1);
}

function bySets(): number {
  const users = new Set<string>();
  for (const { data } of events) users.add((data as Order).user);
  return users.size;
}

function bySorting(): number {
  const sorted = Float64Array.from(events, ({ data }) => (data as Order).cents).toSorted();
  return sorted[Math.floor((EVENTS - 1) / 2)]!;
}

/** As an engine does it: by chunks that stay in the cache. Columns are read where none are given. */
function fold<Value>(
  aggregation: Aggregation<JsonValue, Value>,
  given: readonly Float64Array[] | undefined,
  repeats: number,
) {
  const table = openTable(aggregation);
  table.grow(KEYS);
  const inputs = aggregation.inputs ?? [];
  const columns = inputs.map(() => new Float64Array(CHUNK));
  for (let n = 0; n < repeats; n++) {
    for (let from = 0; from < EVENTS; from += CHUNK) {
      const length = Math.min(CHUNK, EVENTS - from);
      if (given === undefined) inputs.forEach((input, c) => read(input, columns[c]!, from, length));
      const numbers = given?.map((column) => column.subarray(from, from + length)) ?? columns;
      table.addAll(rows.subarray(from, from + length), { length, events: [], numbers, failed });
    }
  }
  return table;
}

function read(input: NumberInput, into: Float64Array, from: number, length: number): void {
  for (let i = 0; i < length; i++) into[i] = input.read(events[from + i]!);
}

function failed(_index: number, error: unknown): never {
  throw error;
}

function mustBeNear(actual: unknown, expected: number, error: number, what: string): void {
  const off = Math.abs((actual as number) / expected - 1);
  if (!(off <= error)) throw new Error(`${what}: ${String(actual)}, expected ${expected}`);
}

function row(name: string, times: Record<'ours' | 'byHand', number>, goal = '', repeats = REPEATS): Row {
  const [ours, peer] = [times.ours, times.byHand].map((ms) => (ms * 1e6) / EVENTS / repeats) as [
    number,
    number,
  ];
  return { case: name, unit: 'ns/event', ours, peer, ratio: ours / peer, goal };
}

export default bench;
