/**
 * Raises the number of shards: seals those of the open epoch, each for good, and gives the map with the next. To be done
 * again from the start where it was cut off: a sealed shard is sealed as before.
 */
import { MillraceError } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';
import { unwrap, type ShardCalls } from '../shard-calls.ts';
import { openEpoch, shardLimits, shardName, type ShardMap } from './shard-map.ts';
import { within } from './time-limit.ts';

export interface RaiseOptions {
  readonly shards: number;
  readonly shard: (name: string) => ShardCalls;
  readonly ports: Pick<Ports, 'now' | 'after'>;
}

/** A shard seals when what it has let in is committed: that is a second's work. */
const SEAL_MS = 10_000;

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

/** @throws MillraceError as `checkRaise` does, as a shard does, and `timeout` */
export async function raiseShards(
  map: ShardMap,
  { shards, shard, ports }: RaiseOptions,
): Promise<ShardMap> {
  checkRaise(map, shards);
  const open = openEpoch(map);
  const sealing = Array.from({ length: open.shards }, async (_, i) => {
    const name = shardName(open.epoch, i);
    return unwrap(
      await within(shard(name).seal(), { limitMs: SEAL_MS, what: `the sealing of ${name}`, ports }),
    );
  });
  const ended = { ...open, sealed: await Promise.all(sealing), sealedAt: ports.now() };
  return { epochs: [...map.epochs.slice(0, -1), ended, { epoch: open.epoch + 1, shards }] };
}
