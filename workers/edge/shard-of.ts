/** Where shards are. */
import { MAIN_TENANT } from './access/api-key.ts';
import type { Env } from './environment.ts';
import type { ShardCalls } from './shard-calls.ts';
import { shardName } from './sharding/shard-map.ts';

/** A tenant's logs are objects of their own: no read of one can come to another's. Default: the first shard. */
export function shardOf(env: Env, tenant: string, name: string = shardName(0, 0)): ShardCalls {
  const object = tenant === MAIN_TENANT ? name : `${tenant}/${name}`;
  // The binding's own type follows RPC through every field's type; the interface says what is promised.
  return env.SHARD.getByName(object) as unknown as ShardCalls;
}
