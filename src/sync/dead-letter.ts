/**
 * Dead letters: events that the edge refused for good, or that their log cannot read any more. They are kept, with the
 * reason, beside the log that they are in.
 */
import { formatCursor } from '../storage/cursor.ts';
import { listPages } from '../storage/list-pages.ts';
import type { JsonValue, Position, Storage, StoredValue } from '../storage/storage.ts';

export interface DeadLetter {
  /** Where the event stands in its log. */
  readonly position: Position;
  readonly reason: string;
  /** When it was given up, in ms since the Unix epoch. */
  readonly at: number;
  /** The event in its wire form, as it was captured. Empty where it was damaged at rest: then nothing is left of it. */
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

export function deadLetterEntry(letter: DeadLetter): readonly [key: string, value: JsonValue] {
  return [deadLetterKey(letter.position), { ...letter }];
}

export function deadLetterKey(position: Position): string {
  return PREFIX + formatCursor(position);
}
