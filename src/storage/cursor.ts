/**
 * A position as the outside sees it: opaque text whose order is the positions' order, so that anybody can sort and
 * compare cursors and nobody counts with them. Written in base 36 behind its own length.
 */
import { MillraceError } from '../errors.ts';
import type { Position } from './position.ts';

const CURSOR = /^[1-9a-b][0-9a-z]{1,11}$/;

export function formatCursor(position: Position): string {
  const digits = position.toString(36);
  return digits.length.toString(36) + digits;
}

/** @throws MillraceError `cursor.invalid` */
export function parseCursor(cursor: string): Position {
  const digits = cursor.slice(1);
  const position = parseInt(digits, 36);
  if (CURSOR.test(cursor) && formatCursor(position) === cursor && Number.isSafeInteger(position))
    return position;
  throw new MillraceError(
    'cursor.invalid',
    `${JSON.stringify(cursor.slice(0, 40))} is no cursor: take the one that a page or the live stream gave, or leave it out to start from the beginning`,
    { cursor },
  );
}
