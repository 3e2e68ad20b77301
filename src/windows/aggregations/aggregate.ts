/** Several aggregations under names, as one. */
import type { JsonValue } from '../../storage/storage.ts';
import type { Accumulator, Aggregation, StateTable } from '../aggregation.ts';
import { invalidOption } from './field.ts';
import { listOf, type ListTable, type States } from './list.ts';

/** Aggregations by the names of their results. */
export type Parts = Readonly<Record<string, Aggregation<JsonValue, unknown>>>;
export type Aggregated<P extends Parts> = { readonly [Name in keyof P]: ReturnType<P[Name]['result']> };

/**
 * All of the aggregations over the same events; the result holds each one's result under its name. An event that one
 * of them cannot take is taken by none. The state holds theirs in the order in which the names are written.
 *
 * @example
 * aggregate({ count: count(), total: sum('total') }); // results { count: 2, total: 31.5 }
 *
 * @throws MillraceError `query.invalid` where there are none.
 */
export function aggregate<P extends Parts>(parts: P): Aggregation<States, Aggregated<P>> {
  const names = Object.keys(parts);
  if (names.length === 0) throw invalidOption('/parts', 'none', 'must be one aggregation at least');
  const list = listOf(Object.values(parts));
  const named = mapResult(
    list,
    (results) => Object.fromEntries(results.map((result, i) => [names[i], result])) as Aggregated<P>,
  );
  // Assigned, it would be the object's prototype.
  if (names.includes('__proto__')) return named;
  const shape = Object.fromEntries(names.map((name) => [name, undefined]));
  const table = (): StateTable<States, Aggregated<P>> => {
    const own: StateTable<States, unknown> = list.table();
    return Object.assign(own, {
      result: (row: number) => (own as ListTable).resultNamed(row, names, shape) as Aggregated<P>,
    });
  };
  return { ...named, table };
}

/** The same aggregation with another result, which is made of its result. */
export function mapResult<State extends JsonValue, From, To>(
  aggregation: Aggregation<State, From>,
  map: (result: From) => To,
): Aggregation<State, To> {
  // Method by method, for an aggregation may be an object of a class.
  return {
    ...(aggregation.inputs && { inputs: aggregation.inputs }),
    initial: () => aggregation.initial(),
    add: (state, event) => aggregation.add(state, event),
    merge: (left, right) => aggregation.merge(left, right),
    ...(aggregation.subtract && { subtract: (state, part) => aggregation.subtract!(state, part) }),
    result: (state) => map(aggregation.result(state)),
    ...(aggregation.table && { table: () => tableWith(aggregation.table!(), map) }),
    ...(aggregation.accumulator && {
      accumulator: () => accumulatorWith(aggregation.accumulator!(), map),
    }),
  };
}

/** The very object: tables and accumulators merge with others of their own class. */
function tableWith<State extends JsonValue, From, To>(
  table: StateTable<State, From>,
  map: (result: From) => To,
): StateTable<State, To> {
  const result = table.result.bind(table);
  const other: StateTable<State, unknown> = table;
  return Object.assign(other, { result: (row: number) => map(result(row)) });
}

function accumulatorWith<State extends JsonValue, From, To>(
  accumulator: Accumulator<State, From>,
  map: (result: From) => To,
): Accumulator<State, To> {
  const result = accumulator.result.bind(accumulator);
  const other: Accumulator<State, unknown> = accumulator;
  return Object.assign(other, { result: () => map(result()) });
}
