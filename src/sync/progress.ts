/** How far a log's events have come, for anybody who only looks on: read from the log's own values. */
import type { Position, Storage } from '../storage/storage.ts';
import { countDeadLetters } from './dead-letter.ts';
import { syncKeys } from './producer-state.ts';
import { readTally } from './tally.ts';

/**
 * Each of the log's events waits, is at the edge, is a dead letter, or is one of the dropped: a dead letter that was
 * given up. Those that were shed are among the dropped too, though they never came into the log.
 */
export interface SyncProgress {
  readonly waiting: number;
  readonly acknowledged: number;
  readonly rejected: number;
  readonly dropped: number;
}

export async function readProgress(
  storage: Storage,
): Promise<
  SyncProgress & { readonly head: Position; readonly bytes: number; readonly acked: Position }
> {
  const acked = ((await storage.get(syncKeys.acked)) as Position | undefined) ?? 0;
  const buried = ((await storage.get(syncKeys.rejected)) as number | undefined) ?? 0;
  // Letters behind `acked`: their holes are not sent yet.
  const deadAhead = buried === 0 ? 0 : await countDeadLetters(storage, acked);
  const { resent, discarded, shed } = await readTally(storage);
  const { head, bytes } = await storage.stats();
  return {
    head,
    bytes,
    acked,
    waiting: Math.max(0, head - acked - deadAhead),
    acknowledged: Math.max(0, acked - (buried - deadAhead) + resent),
    rejected: Math.max(0, buried - resent - discarded),
    dropped: discarded + shed,
  };
}
