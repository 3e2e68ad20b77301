/**
 * Which shards a tenant's log has. There is one at first. Raising their number seals those of the epoch that ends and
 * opens another with new ones: nothing moves, and what was written stays where it is. The directory keeps the map, and
 * is asked for it only when a shard has refused as sealed.
 */
import { isUuidV7 } from '../../../src/event/ids.ts';
import type { Position } from '../../../src/storage/position.ts';

/** A shard takes about 1,000 requests a second: these are more than one tenant's keys may bring. */
export const shardLimits = { shards: 64, epochs: 32 } as const;

/** A shard that takes nothing more, as it was when it was sealed. */
export interface SealedShard {
  readonly head: Position;
  /** The greatest UUIDv7 in it: what is greater is provably not. */
  readonly maxId: string;
}

export interface ShardEpoch {
  /** From 0. */
  readonly epoch: number;
  readonly shards: number;
  /** Of each shard in turn. None: the epoch is open. */
  readonly sealed?: readonly SealedShard[];
  /** By the directory's clock, in ms since the Unix epoch: when all of them were. */
  readonly sealedAt?: number;
}

export interface ShardMap {
  /** The oldest first. The last is open, all others are sealed. */
  readonly epochs: readonly ShardEpoch[];
}

export const initialMap: ShardMap = { epochs: [{ epoch: 0, shards: 1 }] };

export function openEpoch({ epochs }: ShardMap): ShardEpoch {
  return epochs.at(-1)!;
}

export function isSingle({ epochs }: ShardMap): boolean {
  return epochs.length === 1 && epochs[0]!.shards === 1;
}

/** Within its tenant. Never changes: cursors of subscriptions are kept by it. */
export function shardName(epoch: number, index: number): string {
  return epoch === 0 ? `shard-${index}` : `shard-${epoch}-${index}`;
}

/** By the ids that are there, and by no clock: one that was far ahead makes later ids be looked up, and no more. */
export function isProvablyNot(id: string, { maxId }: SealedShard): boolean {
  return isUuidV7(id) && id > maxId;
}
