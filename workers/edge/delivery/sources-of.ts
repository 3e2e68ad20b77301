/** All logs of a tenant: its shards, those of epochs that have ended first. */
import { hasCode } from '../../../src/errors.ts';
import { hostPorts } from '../../../src/ports.ts';
import type { Position } from '../../../src/storage/position.ts';
import type { Query } from '../../../src/storage/storage.ts';
import type { Env } from '../environment.ts';
import { unwrap, type LinePage } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';
import { logOf, mapOf, refresh } from '../sharding/log-of.ts';
import { shardName } from '../sharding/shard-map.ts';
import { within } from '../sharding/time-limit.ts';
import type { Source } from './source.ts';

/** Of one page: a shard that is busy answers sooner, and one that never answers would stop its readers for good. */
const PAGE_MS = 30_000;

/**
 * As far as this isolate knows. The array grows when one of its shards turns out to be sealed, and others have followed:
 * whoever reads the open ones learns of a raise by that, and needs to be told by nobody.
 */
export function sourcesOf(env: Env, tenant: string): readonly Source[] {
  const sources: Source[] = [];
  const grow = (): void => {
    const { epochs } = mapOf(tenant);
    for (const { epoch, shards } of epochs) {
      if (sources.some((source) => source.epoch === epoch)) continue;
      for (let index = 0; index < shards; index++)
        sources.push(new ShardSource(env, { tenant, epoch, index, grow }));
    }
  };
  grow();
  return sources;
}

/** All there are now. */
export async function sourcesNow(env: Env, tenant: string): Promise<readonly Source[]> {
  await logOf(env, tenant).head();
  return sourcesOf(env, tenant);
}

interface Place {
  readonly tenant: string;
  readonly epoch: number;
  readonly index: number;
  /** To be called when there may be more of them. */
  readonly grow: () => void;
}

class ShardSource implements Source {
  readonly name: string;
  readonly epoch: number;
  readonly index: number;
  readonly #env: Env;
  readonly #place: Place;

  constructor(env: Env, place: Place) {
    this.name = shardName(place.epoch, place.index);
    this.epoch = place.epoch;
    this.index = place.index;
    this.#env = env;
    this.#place = place;
  }

  get end(): Position | undefined {
    return mapOf(this.#place.tenant).epochs[this.epoch]?.sealed?.[this.index]?.head;
  }

  async page(query: Query): Promise<LinePage> {
    const { tenant, grow } = this.#place;
    const read = async (open: boolean): Promise<LinePage> => {
      const asked = shardOf(this.#env, tenant, this.name).page(query, { open });
      return unwrap(
        await within(asked, { limitMs: PAGE_MS, what: `a page of ${this.name}`, ports: hostPorts }),
      );
    };
    // Others in this isolate may have been told of more shards since.
    grow();
    try {
      return await read(this.end === undefined);
    } catch (error) {
      if (!hasCode(error, 'shard.sealed')) throw error;
      await refresh(this.#env, tenant);
      grow();
      return read(false);
    }
  }
}
