/** How far a log's events have come, for anybody who only looks on: read from the log's own values. */
import type { Position, Storage } from '../storage/storage.ts';
import { countDeadLetters } from './dead-letter.ts';
import { syncKeys } from './producer-state.ts';

/** The three add up to the log's events: each waits, is at the edge, or is a dead letter. */
export interface SyncProgress {
  readonly waiting: number;
  readonly acknowledged: number;
  readonly rejected: number;
}

export async function readProgress(
  storage: Storage,
): Promise<SyncProgress & { readonly head: Position }> {
  const acked = ((await storage.get(syncKeys.acked)) as Position | undefined) ?? 0;
  const rejected = ((await storage.get(syncKeys.rejected)) as number | undefined) ?? 0;
  const ahead = rejected === 0 ? 0 : await countDeadLetters(storage, acked);
  const { head } = await storage.read({ after: acked, limit: 1 });
  return { head, ...progress(head, acked, rejected, ahead) };
}

/** `ahead` is how many of the dead letters lie behind `acked`, their holes not sent yet. */
export function progress(
  head: Position,
  acked: Position,
  rejected: number,
  ahead: number,
): SyncProgress {
  return {
    waiting: Math.max(0, head - acked - ahead),
    acknowledged: Math.max(0, acked - (rejected - ahead)),
    rejected,
  };
}
