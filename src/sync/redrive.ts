/**
 * What may become of a dead letter: it is dropped, or sent once more. Only letters that the edge has passed are taken up,
 * whose hole it has: one that is still ahead would be pushed again where its letter is gone.
 */
import { hasCode } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { Position, Storage } from '../storage/storage.ts';
import { deadLetterEntry, deadLetterKey, deadLetterPages, type DeadLetter } from './dead-letter.ts';
import { syncKeys } from './producer-state.ts';
import { refusalOf } from './refusal.ts';
import { countOnce, type Tally } from './tally.ts';

export interface RedriveOptions {
  /** Which letters. Default: all. */
  readonly positions?: readonly Position[] | undefined;
}

/** Gives the events up for good. Resolves to how many there were. */
export async function dropDeadLetters(storage: Storage, options: RedriveOptions = {}): Promise<number> {
  let dropped = 0;
  for await (const letters of passed(storage, options))
    dropped += await settle(storage, letters, 'discarded');
  return dropped;
}

/**
 * Publishes each letter's event beside the producer's sequence, which has passed it; the edge knows a repeat by its id.
 * One that is refused again stays a letter, with the new reason. Damaged ones have nothing to send, and stay.
 *
 * Resolves to how many the edge has taken.
 *
 * @throws MillraceError `sync.unreachable`: what is not sent yet stays.
 */
export async function resendDeadLetters(
  storage: Storage,
  publish: (line: string) => Promise<unknown>,
  options: RedriveOptions & Partial<Pick<Ports, 'now'>> = {},
): Promise<number> {
  let sent = 0;
  for await (const letters of passed(storage, options)) {
    for (const letter of letters) {
      if (letter.line === '') continue;
      try {
        await publish(letter.line);
        sent += await settle(storage, [letter], 'resent');
      } catch (error) {
        if (!hasCode(error, 'sync.refused')) throw error;
        const again = {
          ...letter,
          reason: refusalOf(error, error.details.reason),
          attempts: letter.attempts + 1,
          lastAt: options.now?.() ?? letter.lastAt,
        };
        await storage.commit([{ events: [], put: [deadLetterEntry(again)] }]);
      }
    }
  }
  return sent;
}

async function* passed(
  storage: Storage,
  { positions }: RedriveOptions,
): AsyncGenerator<readonly DeadLetter[]> {
  const wanted = positions && new Set(positions);
  const acked = ((await storage.get(syncKeys.acked)) as Position | undefined) ?? 0;
  for await (const letters of deadLetterPages(storage))
    yield letters.filter(({ position }) => position <= acked && (wanted?.has(position) ?? true));
}

/** Those that are still letters: another tab may have been faster. */
function settle(
  storage: Storage,
  letters: readonly DeadLetter[],
  what: keyof Tally & ('resent' | 'discarded'),
): Promise<number> {
  return countOnce(storage, async () => {
    const keys: string[] = [];
    for (const { position } of letters) {
      const key = deadLetterKey(position);
      if ((await storage.get(key)) !== undefined) keys.push(key);
    }
    return { what, count: keys.length, put: keys.map((key) => [key, undefined] as const) };
  });
}
