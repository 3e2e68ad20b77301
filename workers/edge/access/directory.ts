/** The directory: a Durable Object that keeps keys, and of a tenant its rules. Nobody waits for it to write an event. */
import { DurableObject } from 'cloudflare:workers';
import { isWireError, MillraceError } from '../../../src/errors.ts';
import { mergeFamilies } from '../../../src/monitor/metric-builder.ts';
import type { MetricFamily } from '../../../src/monitor/metric.ts';
import { hostPorts } from '../../../src/ports.ts';
import type { RoutingRule } from '../../../src/routing/routing-rule.ts';
import type { Env } from '../environment.ts';
import { logFailure } from '../failure-log.ts';
import { MOST_SERIES } from '../metrics/request-counts.ts';
import type { Reply } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';
import { ShardDirectory } from '../sharding/shard-directory.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import type { KeyRecord } from './api-key.ts';
import { tenantOfDirectory } from './directory-of.ts';
import { directoryLimits, type DirectoryCalls, type StoredKey } from './directory-calls.ts';

const KEY_PREFIX = 'key/';
const RULE_PREFIX = 'rule/';
const COUNTS = 'counts';

interface StoredRule {
  readonly order: number;
  /** As JSON: a rule's `undefined` fields are no part of it. */
  readonly rule: string;
}

export class Directory extends DurableObject<Env> implements DirectoryCalls {
  readonly #shards: ShardDirectory;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const tenant = tenantOfDirectory(context.id);
    this.#shards = new ShardDirectory({
      storage: context.storage,
      shard: (name) => shardOf(env, tenant, name),
      ports: hostPorts,
    });
    void this.alarm();
  }

  /** A raise that was cut off goes on by itself. */
  override async alarm(): Promise<void> {
    await this.#shards.resume().catch((error: unknown) => logFailure('directory', error));
  }

  shardMap(): Promise<Reply<ShardMap>> {
    return answer(() => this.#shards.map());
  }

  raiseShards(shards: number): Promise<Reply<ShardMap>> {
    return answer(() => this.#shards.raise(shards));
  }

  async addCounts(families: readonly MetricFamily[]): Promise<Reply<null>> {
    await this.ctx.storage.put(COUNTS, mergeFamilies([await this.#counts(), families], MOST_SERIES));
    return done(null);
  }

  async counts(): Promise<Reply<readonly MetricFamily[]>> {
    return done(await this.#counts());
  }

  async findKey(id: string): Promise<Reply<StoredKey | undefined>> {
    return done(await this.ctx.storage.get<StoredKey>(KEY_PREFIX + id));
  }

  async listKeys(tenant: string): Promise<Reply<readonly StoredKey[]>> {
    return done(await this.#keysOf(tenant));
  }

  async addKey(record: KeyRecord): Promise<Reply<StoredKey>> {
    const count = (await this.#keysOf(record.tenant)).length;
    if (count >= directoryLimits.keys) return tooMany('keys', count);
    const stored = { ...record, createdAt: Date.now() };
    await this.ctx.storage.put(KEY_PREFIX + record.id, stored);
    return done(stored);
  }

  async removeKey(tenant: string, id: string): Promise<Reply<boolean>> {
    const found = await this.ctx.storage.get<StoredKey>(KEY_PREFIX + id);
    if (found?.tenant !== tenant) return done(false);
    return done(await this.ctx.storage.delete(KEY_PREFIX + id));
  }

  async listRules(): Promise<Reply<readonly RoutingRule[]>> {
    const stored = [...(await this.#rules()).values()].toSorted((a, b) => a.order - b.order);
    return done(stored.map(({ rule }) => JSON.parse(rule) as RoutingRule));
  }

  async putRule(rule: RoutingRule): Promise<Reply<boolean>> {
    const rules = await this.#rules();
    const before = rules.get(RULE_PREFIX + rule.id);
    if (before === undefined && rules.size >= directoryLimits.rules) return tooMany('rules', rules.size);
    const last = Math.max(0, ...[...rules.values()].map(({ order }) => order));
    const stored: StoredRule = { order: before?.order ?? last + 1, rule: JSON.stringify(rule) };
    await this.ctx.storage.put(RULE_PREFIX + rule.id, stored);
    return done(before === undefined);
  }

  async removeRule(id: string): Promise<Reply<boolean>> {
    return done(await this.ctx.storage.delete(RULE_PREFIX + id));
  }

  async #keysOf(tenant: string): Promise<readonly StoredKey[]> {
    const keys = await this.ctx.storage.list<StoredKey>({ prefix: KEY_PREFIX });
    return [...keys.values()].filter((key) => key.tenant === tenant);
  }

  async #counts(): Promise<readonly MetricFamily[]> {
    return (await this.ctx.storage.get<readonly MetricFamily[]>(COUNTS)) ?? [];
  }

  #rules(): Promise<Map<string, StoredRule>> {
    return this.ctx.storage.list<StoredRule>({ prefix: RULE_PREFIX });
  }
}

async function answer<T>(run: () => Promise<T>): Promise<Reply<T>> {
  try {
    return done(await run());
  } catch (error) {
    if (!isWireError(error)) throw error;
    return { ok: false, error: new MillraceError(error.code, error.message, error.details).toWire() };
  }
}

function done<T>(value: T): Reply<T> {
  return { ok: true, value };
}

function tooMany(kind: 'keys' | 'rules', actual: number): Reply<never> {
  const maximum = directoryLimits[kind];
  const message = `there are ${actual} ${kind}, the limit is ${maximum}: remove some first`;
  const error = new MillraceError('limit.exceeded', message, {
    limit: `tenant.${kind}`,
    maximum,
    actual: actual + 1,
  });
  return { ok: false, error: error.toWire() };
}
