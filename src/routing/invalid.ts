/** What is refused where filters, rules and targets are given. */
import { MillraceError } from '../errors.ts';
import { shown } from './shown.ts';

export function routingInvalid(
  path: string,
  value: unknown,
  reason: string,
): MillraceError<'routing.invalid'> {
  const details = { path, value: shown(value), reason };
  return new MillraceError(
    'routing.invalid',
    `${path} ${reason}: got ${String(details.value)}`.trim(),
    details,
  );
}

export function nameTaken(what: string, name: string): MillraceError<'routing.conflict'> {
  return new MillraceError(
    'routing.conflict',
    `there is ${what} ${JSON.stringify(name)} already: remove it first, or take another name`,
    { name },
  );
}

export function nameUnknown(what: string, name: string): MillraceError<'routing.unknown'> {
  return new MillraceError(
    'routing.unknown',
    `there is no ${what} ${JSON.stringify(name)}: add it first`,
    { name },
  );
}

const MAX_NAME_LENGTH = 256;

/** @throws MillraceError `routing.invalid` */
export function checkName(path: string, name: unknown): void {
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME_LENGTH)
    throw routingInvalid(path, name, `must be a text of 1 to ${MAX_NAME_LENGTH} characters`);
}
