/** The specification's aggregations: one operation over one field of the data. */
import type { JsonValue } from '../../storage/storage.ts';
import type { Aggregation } from '../aggregation.ts';
import { mapResult } from './aggregate.ts';
import { avg } from './average.ts';
import { count } from './count.ts';
import { max, min } from './extremes.ts';
import { invalidOption, type Field } from './field.ts';
import { listOf, type States } from './list.ts';
import { sum } from './sum.ts';

const operations = { sum, avg, min, max, count } satisfies Record<
  string,
  (field: Field) => Aggregation<JsonValue, number | null>
>;

export type Operation = keyof typeof operations;

/** The field's value under its own name, and how many events had the field: null and 0 where none had. */
export type OperationResult<Path extends string> = { readonly [Name in Path]: number | null } & {
  readonly count: number;
};

/**
 * What `createAggregationProcessor(field, operation)` computes. Events without the field are passed over. The result of
 * a field named `count` is the count alone.
 *
 * @throws MillraceError `query.invalid` for what is no field or no operation.
 */
export function operationOn<Path extends string>(
  field: Path,
  operation: Operation,
): Aggregation<States, OperationResult<Path>> {
  if (!Object.hasOwn(operations, operation)) {
    const known = Object.keys(operations).join(', ');
    throw invalidOption('/operation', operation, `must be one of ${known}`);
  }
  return mapResult(listOf([operations[operation](field), count(field)]), ([result, events]) => {
    const shown = events === 0 ? null : result;
    return { [field]: shown, count: events } as OperationResult<Path>;
  });
}
