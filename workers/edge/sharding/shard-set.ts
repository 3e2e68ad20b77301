/** The shards of a log, by their epoch and their place in it. */
import { hasCode } from '../../../src/errors.ts';
import type { ShardCalls } from '../shard-calls.ts';
import { shardName, type ShardEpoch, type ShardMap } from './shard-map.ts';

export class ShardSet {
  readonly #shard: (name: string) => ShardCalls;

  constructor(shard: (name: string) => ShardCalls) {
    this.#shard = shard;
  }

  at({ epoch }: Pick<ShardEpoch, 'epoch'>, index: number): ShardCalls {
    return this.#shard(shardName(epoch, index));
  }

  of(epoch: ShardEpoch): readonly ShardCalls[] {
    return Array.from({ length: epoch.shards }, (_, index) => this.at(epoch, index));
  }

  /** Asks each shard of each epoch. Resolves when all have answered. @throws MillraceError as `allSettled` does */
  each<T>(
    { epochs }: ShardMap,
    ask: (shard: ShardCalls, epoch: ShardEpoch, index: number) => Promise<T>,
  ): Promise<readonly T[]> {
    return allSettled(
      epochs.flatMap((epoch) => this.of(epoch).map((shard, index) => ask(shard, epoch, index))),
    );
  }
}

/** All, once each has come to its end; what failed is thrown then, a sealed shard's refusal before any other. */
export async function allSettled<T>(tasks: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(tasks);
  const errors = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (errors.length > 0) throw errors.find((error) => hasCode(error, 'shard.sealed')) ?? errors[0];
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}
