/** Many rows of a table at once, one by one where the table has no quicker way. */
import type { JsonValue } from '../../storage/storage.ts';
import type { StateTable } from '../aggregation.ts';

/** Adds the events of row `rows[i]` of `from` to the row `into[i]`. */
export function mergeRows<State extends JsonValue, Value>(
  table: StateTable<State, Value>,
  into: Int32Array,
  from: StateTable<State, Value>,
  rows: Int32Array,
  length: number,
): void {
  if (table.mergeAll !== undefined) return table.mergeAll(into, from, rows, length);
  for (let i = 0; i < length; i++) table.merge(into[i]!, from, rows[i]!);
}

export function clearRows<State extends JsonValue, Value>(
  table: StateTable<State, Value>,
  rows: Int32Array,
  length: number,
): void {
  if (table.clearAll !== undefined) return table.clearAll(rows, length);
  for (let i = 0; i < length; i++) table.clear(rows[i]!);
}
