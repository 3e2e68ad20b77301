/**
 * Raises the number of shards: seals those of the open epoch, each for good, and gives the map with the next. To be done
 * again from the start where it was cut off: a sealed shard is sealed as before.
 */
import { MillraceError } from '../../../src/errors.ts';
import { unwrap, type ShardCalls } from '../shard-calls.ts';
import { openEpoch, shardLimits, shardName, type ShardMap } from './shard-map.ts';

export interface RaiseOptions {
  readonly shards: number;
  readonly shard: (name: string) => ShardCalls;
}

/** @throws MillraceError `query.invalid`, `limit.exceeded` */
export function checkRaise(map: ShardMap, shards: number): void {
  const open = openEpoch(map);
  if (!Number.isInteger(shards) || shards <= open.shards || shards > shardLimits.shards) {
    const reason = `must be a whole number from ${open.shards + 1} to ${shardLimits.shards}: there are ${open.shards}, and shards are only raised`;
    throw new MillraceError('query.invalid', `/shards ${reason}`, {
      path: '/shards',
      value: shards,
      reason,
    });
  }
  const actual = map.epochs.length + 1;
  if (actual <= shardLimits.epochs) return;
  const message = `the log has ${actual - 1} epochs, which is the limit`;
  const details = { limit: 'log.epochs', maximum: shardLimits.epochs, actual };
  throw new MillraceError('limit.exceeded', message, details);
}

/** @throws MillraceError as `checkRaise` does, and as a shard does */
export async function raiseShards(map: ShardMap, { shards, shard }: RaiseOptions): Promise<ShardMap> {
  checkRaise(map, shards);
  const open = openEpoch(map);
  const sealing = Array.from({ length: open.shards }, async (_, i) =>
    unwrap(await shard(shardName(open.epoch, i)).seal()),
  );
  const sealed = await Promise.all(sealing);
  const epochs = [...map.epochs.slice(0, -1), { ...open, sealed }];
  return { epochs: [...epochs, { epoch: open.epoch + 1, shards }] };
}
