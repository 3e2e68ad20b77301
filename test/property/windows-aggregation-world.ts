/** Events, and every way in which an aggregation can come by all of them. */
import fc from 'fast-check';
import { makeEvent, type Event } from '../../src/event/event.ts';
import type { JsonValue } from '../../src/storage/storage.ts';
import type { Aggregation, EventBatch, StateTable } from '../../src/windows/aggregation.ts';
import { openAccumulator, openTable } from '../../src/windows/aggregations/accumulators.ts';

/** Times are few, so that many events share one. Ids are unique: the log sees to that. */
export function eventsOf(
  data: fc.Arbitrary<unknown>,
  maxLength = 40,
  minLength = 0,
): fc.Arbitrary<readonly Event[]> {
  const timestamp = fc.integer({ min: -5, max: 20 });
  return fc
    .array(fc.record({ data, timestamp }), { minLength, maxLength })
    .map((all) => all.map((one, i) => eventOf(`e-${(i * 7919) % 1000}`, one.data, one.timestamp)));
}

export function eventOf(id: string, data: unknown, timestamp = 0): Event {
  return makeEvent({ id, type: 'order.placed', data, timestamp, source: 'test', priority: 2 });
}

/** Numbers that sums are hard for: of all magnitudes, and such as people have. */
export const hardNumber = fc.oneof(
  fc.integer({ min: -100_000, max: 100_000 }).map((cents) => cents / 100),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    -0,
    0,
    1e308,
    -1e308,
    Number.MAX_VALUE,
    -Number.MAX_VALUE,
    Number.MIN_VALUE,
    2 ** -1022,
    2 ** 51 + 0.5,
    -(2 ** 51) - 0.5,
    2 ** 50,
    2 ** -80,
    2 ** -81,
    0.1,
    1e16,
  ),
);

/** Orders in which the field is there, null or missing. */
export function orders(total: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: total.map((value) => ({ total: value })) },
    { weight: 1, arbitrary: fc.constantFrom({}, { total: null }, null, 'text', []) },
  );
}

/** How events are shuffled, cut and put together again: numbers that are drawn on as they are needed. */
export const draws = fc
  .infiniteStream(fc.nat(1_000_000))
  .map((stream) => (below: number) => (stream.next().value as number) % below);
type Draw = (below: number) => number;

/** The states that come of all events by each way. All must be the same. */
export function statesBy<State extends JsonValue, Value>(
  aggregation: Aggregation<State, Value>,
  events: readonly Event[],
  draw: Draw,
): Readonly<Record<string, string>> {
  const mixed = shuffled(events, draw);
  const fold = (some: readonly Event[]): State =>
    some.reduce((state, event) => aggregation.add(state, event), aggregation.initial());
  const ways = {
    'one by one': fold(events),
    'in another order': fold(mixed),
    'by a tree of merges': mergedTree(aggregation, cut(mixed, draw).map(fold), draw),
    'with a rest in storage': cut(mixed, draw).reduce(
      (state, part) => part.reduce((sum, one) => aggregation.add(sum, one), stored(state)),
      aggregation.initial(),
    ),
    'by accumulators': accumulated(aggregation, cut(mixed, draw)),
    'by rows of a table': tabled(aggregation, mixed, draw),
  };
  return Object.fromEntries(Object.entries(ways).map(([way, state]) => [way, JSON.stringify(state)]));
}

function mergedTree<State extends JsonValue, Value>(
  aggregation: Aggregation<State, Value>,
  states: readonly State[],
  draw: Draw,
): State {
  const left = [...states, aggregation.initial()];
  while (left.length > 1) {
    const [one] = left.splice(draw(left.length), 1);
    const other = draw(left.length);
    left[other] = aggregation.merge(left[other]!, one!);
  }
  return left[0]!;
}

function accumulated<State extends JsonValue, Value>(
  aggregation: Aggregation<State, Value>,
  parts: readonly (readonly Event[])[],
): State {
  const whole = openAccumulator(aggregation);
  for (const events of parts) {
    const part = openAccumulator(aggregation);
    for (const event of events) part.fold(part.read(event));
    const again = openAccumulator(aggregation);
    again.load(stored(part.state()));
    whole.merge(again);
  }
  return whole.state();
}

const ROWS = 5;

/** Batches over a few rows, some of which rest in storage meanwhile; at the end all rows come together. */
function tabled<State extends JsonValue, Value>(
  aggregation: Aggregation<State, Value>,
  events: readonly Event[],
  draw: Draw,
): State {
  const table = openTable(aggregation);
  table.grow(ROWS);
  for (const part of cut(events, draw)) {
    addBatch(
      aggregation,
      table,
      part,
      part.map(() => 1 + draw(ROWS - 1)),
    );
    const row = 1 + draw(ROWS - 1);
    const state = stored(table.state(row));
    table.clear(row);
    table.load(row, state);
  }
  const other = openTable(aggregation);
  other.grow(1000);
  for (let row = 1; row < ROWS; row++) other.merge(999, table, row);
  return other.state(999);
}

/** Folds events into rows, as an engine does: what an input refuses comes first, and is thrown. */
export function addBatch<State extends JsonValue, Value>(
  { inputs = [] }: Aggregation<State, Value>,
  table: StateTable<State, Value>,
  events: readonly Event[],
  rows: readonly number[],
  failed: EventBatch['failed'] = throwIt,
): void {
  const numbers = inputs.map((input) => Float64Array.from(events, (event) => input.read(event)));
  table.addAll(Int32Array.from(rows), { length: events.length, events, numbers, failed });
}

function throwIt(_index: number, error: unknown): never {
  throw error;
}

export function shuffled<T>(all: readonly T[], draw: Draw): readonly T[] {
  const left = [...all];
  return all.map(() => left.splice(draw(left.length), 1)[0]!);
}

/** Into parts of any sizes, none among them too. */
export function cut<T>(all: readonly T[], draw: Draw): readonly (readonly T[])[] {
  const parts: T[][] = [[]];
  for (const one of all) {
    if (draw(4) === 0) parts.push([]);
    parts.at(-1)!.push(one);
  }
  return parts;
}

/** As a storage gives it back. */
function stored<State extends JsonValue>(state: State): State {
  return JSON.parse(JSON.stringify(state)) as State;
}
