/** How lines come from a log into its journal's files, and back into a log. */
import { hasCode } from '../../src/errors.ts';
import { decodeLine } from '../../src/event/wire.ts';
import type { Page, Position, Storage } from '../../src/storage/storage.ts';
import { readLost, type LostEvent } from './journal-entries.ts';

/** Events of one transaction, or of one read. */
const STEP = 1_000;

export interface PlacedLines {
  readonly positions: readonly Position[];
  readonly lines: readonly string[];
}

export interface RestoredLines extends PlacedLines {
  /** How many of them the log did not have. */
  readonly restored: number;
}

/** Appends the events in their order, a step at a time. A position of 0 stands for an event whose id another has by now. */
export async function* restoreLines(
  storage: Storage,
  lost: readonly LostEvent[],
): AsyncGenerator<RestoredLines> {
  for (let at = 0; at < lost.length; at += STEP) {
    const lines = readLost(lost.slice(at, at + STEP));
    const events = lines.map((line) => decodeLine(line));
    const [together] = await storage.commit([{ events }]);
    // Refused as one: the events go one by one, so that the one to blame is the only one to stay out.
    const results = together!.ok
      ? [together!]
      : await storage.commit(events.map((event) => ({ events: [event] })));
    yield {
      positions: results.flatMap((result) => (result.ok ? result.positions : [0])),
      lines,
      restored: results.reduce(
        (sum, result) => sum + (result.ok ? result.positions.length - result.duplicates : 0),
        0,
      ),
    };
  }
}

/** What stands in the log at these positions, which rise; what is damaged or trimmed has no line. */
export async function* linesAt(
  storage: Storage,
  positions: readonly Position[],
): AsyncGenerator<PlacedLines> {
  for (let at = 0; at < positions.length;) {
    const wanted = new Set(positions.slice(at, at + STEP));
    const { events, next } = await readPast(storage, positions[at]! - 1);
    const found = events.filter(({ position }) => wanted.has(position));
    yield {
      positions: found.map(({ position }) => position),
      lines: found.map(({ line }) => line),
    };
    const before = at;
    while (at < positions.length && positions[at]! <= next) at++;
    if (at === before) return;
  }
}

async function readPast(storage: Storage, after: Position): Promise<Pick<Page, 'events' | 'next'>> {
  try {
    return await storage.read({ after, limit: STEP });
  } catch (error) {
    if (!hasCode(error, 'storage.corrupt')) throw error;
    return { events: [], next: after + 1 };
  }
}
