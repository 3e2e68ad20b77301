/**
 * Dead letters of the push: events that the edge refused for good, or that their log cannot read any more. They are kept,
 * with the reason, beside the log that they are in.
 */
import type { WireError } from '../errors.ts';
import { formatCursor } from '../storage/cursor.ts';
import type { DeadLetter as HostDeadLetter } from '../storage/dead-letters/dead-letter.ts';
import { listPages } from '../storage/list-pages.ts';
import type { JsonValue, Position, Storage, StoredValue } from '../storage/storage.ts';

/** Its id is its position's cursor, so that the order of ids is the log's. The event is there as its line alone. */
export interface DeadLetter extends HostDeadLetter {
  readonly position: Position;
  readonly line: string;
}

export interface DeadLetterOptions {
  /** Only those of positions greater than this one. */
  readonly after?: Position | undefined;
  /** Default: 1,000. */
  readonly limit?: number | undefined;
}

const PREFIX = 'dead/';

/** In the order of their positions. To go on, ask again with `after` the last one's position. */
export async function listDeadLetters(
  storage: Storage,
  options: DeadLetterOptions = {},
): Promise<DeadLetter[]> {
  const { after = 0, limit } = options;
  return lettersOf(await storage.list(PREFIX, { after: deadLetterKey(after), limit }));
}

/** All of them, a page at a time. */
export async function* deadLetterPages(
  storage: Storage,
  after: Position = 0,
): AsyncGenerator<readonly DeadLetter[]> {
  for await (const page of listPages(storage, PREFIX, { after: deadLetterKey(after) }))
    yield lettersOf(page);
}

/** How many there are after the position, however many. */
export async function countDeadLetters(storage: Storage, after: Position): Promise<number> {
  let count = 0;
  for await (const { length } of deadLetterPages(storage, after)) count += length;
  return count;
}

function lettersOf(entries: readonly (readonly [key: string, value: StoredValue])[]): DeadLetter[] {
  return entries.map(([, value]) => value as unknown as DeadLetter);
}

/** An event that is given up. `line` is empty where it was damaged at rest: then nothing is left of it. */
export function pushDeadLetter(
  position: Position,
  line: string,
  reason: WireError,
  at: number,
): DeadLetter {
  return {
    id: formatCursor(position),
    where: { part: 'push', name: 'edge' },
    reason,
    attempts: 1,
    firstAt: at,
    lastAt: at,
    position,
    line,
  };
}

export function deadLetterEntry(letter: DeadLetter): readonly [key: string, value: JsonValue] {
  return [deadLetterKey(letter.position), { ...letter } as unknown as JsonValue];
}

export function deadLetterKey(position: Position): string {
  return PREFIX + formatCursor(position);
}
