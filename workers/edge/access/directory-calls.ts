/** What the Worker asks of the directory. As with a shard, each answer is a `Reply`. */
import type { MetricFamily } from '../../../src/monitor/metric.ts';
import type { RoutingRule } from '../../../src/routing/routing-rule.ts';
import type { Reply } from '../shard-calls.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import type { KeyRecord } from './api-key.ts';

export interface StoredKey extends KeyRecord {
  /** In ms since the Unix epoch. */
  readonly createdAt: number;
}

export const directoryLimits = {
  /** Keys of one tenant. */
  keys: 1000,
  /** Rules of one tenant. */
  rules: 1000,
} as const;

/** One object keeps all keys, and each tenant has one that keeps its rules. */
export interface DirectoryCalls {
  findKey(id: string): Promise<Reply<StoredKey | undefined>>;
  listKeys(tenant: string): Promise<Reply<readonly StoredKey[]>>;
  addKey(record: KeyRecord): Promise<Reply<StoredKey>>;
  /** Whether the tenant had one of that id. */
  removeKey(tenant: string, id: string): Promise<Reply<boolean>>;
  /** In the order in which they were first put. */
  listRules(): Promise<Reply<readonly RoutingRule[]>>;
  /** Resolves to whether it is new. */
  putRule(rule: RoutingRule): Promise<Reply<boolean>>;
  removeRule(id: string): Promise<Reply<boolean>>;
  /** Adds what an isolate has counted to what is kept: see `metrics/request-counts.ts`. */
  addCounts(families: readonly MetricFamily[]): Promise<Reply<null>>;
  counts(): Promise<Reply<readonly MetricFamily[]>>;
  shardMap(): Promise<Reply<ShardMap>>;
  /** Seals the shards that there are, and opens so many new ones. */
  raiseShards(shards: number): Promise<Reply<ShardMap>>;
}
