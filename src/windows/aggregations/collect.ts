/** The values of a field themselves, so many at the most. */
import type { JsonValue } from '../../storage/storage.ts';
import type { Aggregation } from '../aggregation.ts';
import { invalidOption, type Field } from './field.ts';
import { comparePlaces, placedReader, type Placed } from './first-last.ts';

export interface CollectOptions {
  /** The most values that are kept: the earliest. From 1 to 10,000. Default: 100. */
  readonly limit?: number | undefined;
}

export interface Collected {
  /** By event time, those of one time by the events' ids. */
  readonly values: readonly JsonValue[];
  /** How many later values were cut off. */
  readonly cut: number;
}

/** The values kept, in their order, and how many there were. */
export type CollectState = readonly [kept: readonly Placed[], seen: number];

const MAX_LIMIT = 10_000;

/**
 * The field's values by event time. A state holds `limit` of them, each as large as its events have it.
 *
 * @throws MillraceError `query.invalid` for what is no field or no limit.
 */
export function collect(
  field: Field,
  { limit = 100 }: CollectOptions = {},
): Aggregation<CollectState, Collected> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw invalidOption('/limit', limit, `must be a whole number from 1 to ${MAX_LIMIT}`);
  const reader = placedReader(field);
  return {
    initial: () => [[], 0],
    add([kept, seen], event) {
      const placed = reader(event);
      return placed === null ? [kept, seen] : [inserted(kept, placed, limit), seen + 1];
    },
    merge: ([left, seenLeft], [right, seenRight]) => [
      [...left, ...right].toSorted(comparePlaces).slice(0, limit),
      seenLeft + seenRight,
    ],
    result: ([kept, seen]) => ({ values: kept.map(([, , value]) => value), cut: seen - kept.length }),
  };
}

function inserted(kept: readonly Placed[], placed: Placed, limit: number): readonly Placed[] {
  const found = kept.findLastIndex((other) => comparePlaces(other, placed) <= 0) + 1;
  return found >= limit ? kept : kept.toSpliced(found, 0, placed).slice(0, limit);
}
