/** All logs of a tenant: its shards, those of epochs that have ended first. */
import { hasCode } from '../../../src/errors.ts';
import type { Query } from '../../../src/storage/storage.ts';
import type { Env } from '../environment.ts';
import { unwrap, type LinePage } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';
import { logOf, mapOf, refresh } from '../sharding/log-of.ts';
import { shardName } from '../sharding/shard-map.ts';
import type { Source } from './source.ts';

const known = new Map<string, Source[]>();

/** As far as this isolate knows. The array grows when one of its shards turns out to be sealed, and others have followed. */
export function sourcesOf(env: Env, tenant: string): readonly Source[] {
  const sources = known.get(tenant) ?? [];
  known.set(tenant, sources);
  for (const { epoch, shards } of mapOf(tenant).epochs) {
    for (let index = 0; index < shards; index++) {
      const name = shardName(epoch, index);
      if (sources.some((source) => source.name === name)) continue;
      sources.push({ name, epoch, index, page: (query) => pageOf(env, { tenant, name, epoch }, query) });
    }
  }
  return sources;
}

/** All there are now. */
export async function sourcesNow(env: Env, tenant: string): Promise<readonly Source[]> {
  await logOf(env, tenant).head();
  return sourcesOf(env, tenant);
}

async function pageOf(
  env: Env,
  { tenant, name, epoch }: { readonly tenant: string; readonly name: string; readonly epoch: number },
  query: Query,
): Promise<LinePage> {
  const shard = shardOf(env, tenant, name);
  // Others in this isolate may have been told of more shards since.
  sourcesOf(env, tenant);
  try {
    const open = mapOf(tenant).epochs[epoch]?.sealed === undefined;
    return unwrap(await shard.page(query, { open }));
  } catch (error) {
    if (!hasCode(error, 'shard.sealed')) throw error;
    await refresh(env, tenant);
    sourcesOf(env, tenant);
    return unwrap(await shard.page(query));
  }
}
