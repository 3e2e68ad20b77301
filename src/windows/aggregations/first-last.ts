/** The first and the last value of a field, by event time. */
import type { Event } from '../../event/event.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { Aggregation } from '../aggregation.ts';
import { fieldReader, type Field } from './field.ts';

/** A value with its place. Of events of one time the one with the lesser id comes first, so that no order of arrival counts. */
export type Placed = readonly [timestamp: number, id: string, value: JsonValue];

/**
 * The value of the earliest event that has the field; null where none has.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function first(field: Field): Aggregation<Placed | null, JsonValue> {
  return atEnd(field, (left, right) => comparePlaces(left, right) <= 0);
}

/**
 * The value of the latest event that has the field; null where none has.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function last(field: Field): Aggregation<Placed | null, JsonValue> {
  return atEnd(field, (left, right) => comparePlaces(left, right) >= 0);
}

function atEnd(
  field: Field,
  wins: (left: Placed, right: Placed) => boolean,
): Aggregation<Placed | null, JsonValue> {
  const reader = placedReader(field);
  const merge = (left: Placed | null, right: Placed | null): Placed | null =>
    left === null || right === null ? (left ?? right) : wins(left, right) ? left : right;
  return {
    initial: () => null,
    add: (state, event) => merge(state, reader(event)),
    merge,
    result: (state) => (state === null ? null : state[2]),
  };
}

/** Null where the field is missing. */
export function placedReader(field: Field): (event: Event) => Placed | null {
  const reader = fieldReader(field);
  return (event) => {
    const value = reader(event);
    return value === undefined ? null : [event.timestamp, event.id, value as JsonValue];
  };
}

export function comparePlaces([leftTime, leftId]: Placed, [rightTime, rightId]: Placed): number {
  return leftTime - rightTime || (leftId < rightId ? -1 : Number(leftId > rightId));
}
