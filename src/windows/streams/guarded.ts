/** An aggregation whose results cannot fail, so that one that throws is one result's dead letter and stops no other. */
import type { JsonValue } from '../../storage/storage.ts';
import { checkCommits } from '../../storage/check-input.ts';
import type { Aggregation } from '../aggregation.ts';
import type { AnyAggregation } from '../operator-options.ts';

/** A result, or what was thrown in its stead. */
export type Guarded =
  | { readonly value: JsonValue; readonly error?: undefined }
  | {
      readonly value?: undefined;
      readonly error: unknown;
      /** Of which it was to be made: to make it again. */
      readonly state?: JsonValue;
    };

/** The same aggregation, whose results are guarded, and JSON. */
export function guarded(aggregation: AnyAggregation): Aggregation<JsonValue, Guarded> {
  return {
    ...(aggregation.inputs && { inputs: aggregation.inputs }),
    initial: () => aggregation.initial(),
    add: (state, event) => aggregation.add(state, event),
    merge: (left, right) => aggregation.merge(left, right),
    ...(aggregation.subtract && { subtract: (state, part) => aggregation.subtract!(state, part) }),
    result: (state) =>
      attempt(
        () => aggregation.result(state),
        () => state,
      ),
    ...(aggregation.table && {
      // The very object: tables and accumulators merge with others of their own class.
      table() {
        const table = aggregation.table!();
        const result = table.result.bind(table);
        const made = (row: number): Guarded =>
          attempt(
            () => result(row),
            () => table.state(row),
          );
        return Object.assign(table, { result: made }) as never;
      },
    }),
    ...(aggregation.accumulator && {
      accumulator() {
        const accumulator = aggregation.accumulator!();
        const result = accumulator.result.bind(accumulator);
        return Object.assign(accumulator, {
          result: () => attempt(result, () => accumulator.state()),
        }) as never;
      },
    }),
  };
}

/** What is made, where it is JSON that a storage takes: a result is stored on its way. */
export function attempt(make: () => unknown, stateOf?: () => JsonValue): Guarded {
  try {
    const value = make() as JsonValue;
    // A few levels deep, as it is where it waits to be handed on.
    checkCommits([{ events: [], put: [['the result', [[[[[value]]]]]]] }]);
    return { value };
  } catch (error) {
    return stateOf === undefined ? { error } : { error, state: stateOf() };
  }
}
