/** What an aggregation takes from an event: a field of its data by a path, or whatever a function says. */
import { MillraceError } from '../../errors.ts';
import type { Event } from '../../event/event.ts';
import type { NumberInput } from '../aggregation.ts';

/**
 * Keys of the event's `data` joined by dots (`total`, `item.price`, `lines.0.sku`), or a function of the event. What
 * is undefined or null is missing.
 */
export type Field = string | ((event: Event) => unknown);

const MAX_PATH_LENGTH = 256;

/** The value of the field, undefined where it is missing. */
export type FieldReader = (event: Event) => unknown;

/** @throws MillraceError `query.invalid` for what is no field. */
export function fieldReader(field: Field): FieldReader {
  if (typeof field === 'function') return (event) => field(event) ?? undefined;
  const keys = checkedPath(field).split('.');
  return (event) => {
    let found: unknown = event.data;
    for (const key of keys) found = ownValue(found, key);
    return found ?? undefined;
  };
}

/**
 * The field as a number.
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function numberInput(field: Field): NumberInput {
  const reader = fieldReader(field);
  const slowly = (event: Event): number => checkedNumber(event, field, reader(event));
  if (typeof field !== 'string' || field.includes('.')) return { field, read: slowly };
  return {
    field,
    read(event) {
      const { data } = event;
      if (typeof data !== 'object' || data === null) return Number.NaN;
      const found = (data as Readonly<Record<string, unknown>>)[field];
      // No infinity and no NaN: their difference from themselves is NaN. Adding 0 makes -0, which JSON does not have, 0.
      return typeof found === 'number' && found - found === 0 ? found + 0 : slowly(event);
    },
  };
}

/** 1 where the field is there, whatever it holds. */
export function presenceInput(field: Field): NumberInput {
  const reader = fieldReader(field);
  return { field: reader, read: (event) => (reader(event) === undefined ? Number.NaN : 1) };
}

/** As an error and a result name it. */
export function fieldName(field: Field): string {
  if (typeof field === 'string') return field;
  return field.name === '' ? 'a function' : field.name;
}

export function invalidValue(
  event: Event,
  field: Field,
  value: unknown,
  reason: string,
): MillraceError<'value.invalid'> {
  const name = fieldName(field);
  const shown = simple(value);
  return new MillraceError(
    'value.invalid',
    `${name} of the event ${event.id} ${reason}: got ${typeof shown === 'string' ? JSON.stringify(shown) : String(shown)}`,
    { event: event.id, field: name, value: shown, reason },
  );
}

/** @throws MillraceError `query.invalid` */
export function invalidOption(
  path: string,
  value: unknown,
  reason: string,
): MillraceError<'query.invalid'> {
  const shown = simple(value);
  const details = { path, value: shown, reason };
  return new MillraceError('query.invalid', `${path.slice(1)} ${reason}: got ${String(shown)}`, details);
}

function checkedPath(field: unknown): string {
  if (typeof field !== 'string' || field.length > MAX_PATH_LENGTH || field.split('.').includes('')) {
    const reason = `must be keys joined by dots, ${MAX_PATH_LENGTH} characters at most, or a function`;
    throw invalidOption('/field', field, reason);
  }
  return field;
}

function checkedNumber(event: Event, field: Field, value: unknown): number {
  if (value === undefined) return Number.NaN;
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0;
  throw invalidValue(event, field, value, 'must be a finite number, or missing');
}

function ownValue(container: unknown, key: string): unknown {
  if (typeof container !== 'object' || container === null || !Object.hasOwn(container, key))
    return undefined;
  return (container as Readonly<Record<string, unknown>>)[key];
}

const MAX_SHOWN = 100;

/** What can cross any boundary, and is short. */
function simple(value: unknown): unknown {
  if (typeof value === 'string')
    return value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value;
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return value;
  return Array.isArray(value) ? 'an array' : `a${typeof value === 'object' ? 'n' : ''} ${typeof value}`;
}
