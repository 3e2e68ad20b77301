/** The mean of a field. */
import type { Aggregation } from '../aggregation.ts';
import { mapResult } from './aggregate.ts';
import { countOf } from './count.ts';
import { numberInput, type Field } from './field.ts';
import { listOf, type States } from './list.ts';
import { sum } from './sum.ts';

/**
 * The mean of the numbers: their sum as `sum` has it by their count; null where there are none.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function avg(field: Field): Aggregation<States, number | null> {
  return mapResult(listOf([sum(field), countOf(numberInput(field))]), ([total, events]) =>
    events === 0 ? null : (total as number) / (events as number),
  );
}
