/** A tenant's log, as this isolate of the Worker reaches it. */
import { hostPorts } from '../../../src/ports.ts';
import { tenantDirectory } from '../access/directory-of.ts';
import type { Env } from '../environment.ts';
import { unwrap } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';
import { initialMap, type ShardMap } from './shard-map.ts';
import { ShardedLog } from './sharded-log.ts';
import { within } from './time-limit.ts';

/** The directory may be raising them: each shard that it seals has less. */
const MAP_MS = 15_000;

/** As they were last told, of tenants with more than one shard. */
const told = new Map<string, ShardMap>();

export function logOf(env: Env, tenant: string): ShardedLog {
  return new ShardedLog({
    map: { current: () => told.get(tenant) ?? initialMap, refresh: () => refresh(env, tenant) },
    shard: (name) => shardOf(env, tenant, name),
    ports: hostPorts,
  });
}

/** The map as this isolate was last told it. */
export function mapOf(tenant: string): ShardMap {
  return told.get(tenant) ?? initialMap;
}

/** As it is now. @throws MillraceError `timeout`, and as the raise does that it waits for */
export async function refresh(env: Env, tenant: string): Promise<ShardMap> {
  const asked = tenantDirectory(env, tenant).shardMap();
  const what = 'the map of the shards';
  const map = unwrap(await within(asked, { limitMs: MAP_MS, what, ports: hostPorts }));
  told.set(tenant, map);
  return map;
}
