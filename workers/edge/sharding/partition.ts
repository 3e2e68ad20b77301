/** Which shard of an epoch an event belongs to: what belongs together stands together, in its order. */
import type { Event } from '../../../src/event/event.ts';
import { hashText } from '../../../src/storage/segments/hash.ts';

export type Keyed = Pick<Event, 'id' | 'correlationId' | 'subject'>;

/** By correlation, else by subject, else by id. */
export function partitionOf({ id, correlationId, subject }: Keyed, shards: number): number {
  return indexOf(correlationId ?? subject ?? id, shards);
}

/** Also where a producer's sequence is kept: see `sharded-push.ts`. */
export function indexOf(key: string, shards: number): number {
  if (shards === 1) return 0;
  const hash = hashText(key);
  // The low bits of FNV-1a alone say little about short texts.
  return ((hash ^ (hash >>> 16)) >>> 0) % shards;
}
