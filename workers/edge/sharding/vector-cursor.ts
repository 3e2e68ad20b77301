/**
 * A cursor over shards: an epoch, and a position in each of its shards. All epochs before it are read to their ends, all
 * after it not begun; backwards, the other way round. So it has no more positions than one epoch has shards. With one
 * shard it is that shard's own cursor.
 */
import { MillraceError } from '../../../src/errors.ts';
import { formatCursor, parseCursor } from '../../../src/storage/cursor.ts';
import type { Position } from '../../../src/storage/position.ts';

export interface VectorCursor {
  readonly epoch: number;
  /** Of each shard in turn. */
  readonly positions: readonly Position[];
}

const SIGN = 'v';

export function formatVector({ epoch, positions }: VectorCursor): string {
  if (epoch === 0 && positions.length === 1) return formatCursor(positions[0]!);
  // Each number says its own length: see `cursor.ts`.
  return SIGN + [epoch, ...positions].map(formatCursor).join('');
}

/** @throws MillraceError `cursor.invalid` */
export function parseVector(cursor: string): VectorCursor {
  if (!cursor.startsWith(SIGN)) return { epoch: 0, positions: [parseCursor(cursor)] };
  const numbers: number[] = [];
  for (let at = 1; at < cursor.length;) {
    const end = at + 1 + parseInt(cursor[at]!, 36);
    numbers.push(end > at ? parseCursor(cursor.slice(at, end)) : refuse(cursor));
    at = end;
  }
  const [epoch, ...positions] = numbers;
  if (epoch === undefined || positions.length === 0 || formatVector({ epoch, positions }) !== cursor)
    return refuse(cursor);
  return { epoch, positions };
}

function refuse(cursor: string): never {
  throw new MillraceError(
    'cursor.invalid',
    `${JSON.stringify(cursor.slice(0, 40))} is no cursor: take the one that a page or the live stream gave, or leave it out to start from the beginning`,
    { cursor },
  );
}
