/**
 * Dead letters: events that the edge refused for good, or that their log cannot read any more. They are kept, with the
 * reason, beside the log that they are in.
 */
import type { JsonValue, Position, Storage } from '../storage/storage.ts';
import { formatCursor } from '../storage/cursor.ts';

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
  const entries = await storage.list(PREFIX, { after: PREFIX + formatCursor(after), limit });
  return entries.map(([, value]) => value as unknown as DeadLetter);
}

const COUNT_PAGE = 1000;

/** How many there are after the position, however many. */
export async function countDeadLetters(storage: Storage, after: Position): Promise<number> {
  let count = 0;
  for (let last = after; ;) {
    const letters = await listDeadLetters(storage, { after: last, limit: COUNT_PAGE });
    count += letters.length;
    if (letters.length < COUNT_PAGE) return count;
    last = letters.at(-1)!.position;
  }
}

export function deadLetterEntry(letter: DeadLetter): readonly [key: string, value: JsonValue] {
  return [PREFIX + formatCursor(letter.position), { ...letter }];
}
