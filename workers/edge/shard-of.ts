/** Which shard an event, a producer or a reader belongs to. There is one, until events are partitioned over several. */
import type { Env } from './environment.ts';
import type { ShardCalls } from './shard-calls.ts';

const SHARD_NAME = 'shard-0';

export function shardOf(env: Env): ShardCalls {
  // The binding's own type follows RPC through every field's type; the interface says what is promised.
  return env.SHARD.getByName(SHARD_NAME) as unknown as ShardCalls;
}
