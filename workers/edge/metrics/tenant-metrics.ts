/** All metrics of a tenant, from where each is kept: the directory, its shards, its subscriptions. */
import { MetricBuilder, mergeFamilies, withLabels } from '../../../src/monitor/metric-builder.ts';
import type { MetricFamily } from '../../../src/monitor/metric.ts';
import { hasCode } from '../../../src/errors.ts';
import { tenantDirectory } from '../access/directory-of.ts';
import type { Env } from '../environment.ts';
import { logFailure } from '../failure-log.ts';
import { unwrap, type ShardStats } from '../shard-calls.ts';
import { logOf } from '../sharding/log-of.ts';
import { subscriptionListOf, subscriptionOf } from '../subscription-of.ts';
import { reportRequests } from './count-requests.ts';
import type { SubscriptionMetrics } from './subscription-metrics.ts';

/** Objects that are asked together. */
const TOGETHER = 32;

const BEHIND = 'Events of the log that it has not read.';
const UNREAD = 'Parts of the edge that could not be read this time.';

/** What cannot be read is left out, counted and logged: the rest is needed the more. */
export async function readTenantMetrics(env: Env, tenant: string): Promise<readonly MetricFamily[]> {
  let unread = 0;
  const orNothing = async <T>(part: string, read: Promise<T>): Promise<T | undefined> => {
    try {
      return await read;
    } catch (error) {
      unread++;
      logFailure(`metrics of ${part}`, error);
      return undefined;
    }
  };
  const [counts, shards = [], subscriptions = []] = await Promise.all([
    orNothing('requests', readCounts(env, tenant)),
    orNothing('shards', logOf(env, tenant).stats({ metrics: true })),
    orNothing('subscriptions', readSubscriptions(env, tenant, orNothing)),
  ]);
  const own = new MetricBuilder().gauge('millrace_metrics_unread', UNREAD, unread).families();
  const ofShards = shards.map(([name, { metrics = [] }]) =>
    withLabels(metrics, { shard: labelOf(name) }),
  );
  const ofSubscriptions = subscriptions.flatMap((one) => [one.families, lagOf(one, shards)]);
  return mergeFamilies([own, counts ?? [], ...ofShards, ...ofSubscriptions]);
}

/** As it is now: with what this isolate has counted. */
async function readCounts(env: Env, tenant: string): Promise<readonly MetricFamily[]> {
  await reportRequests(env, tenant);
  return unwrap(await tenantDirectory(env, tenant).counts());
}

type OrNothing = <T>(part: string, read: Promise<T>) => Promise<T | undefined>;

async function readSubscriptions(
  env: Env,
  tenant: string,
  orNothing: OrNothing,
): Promise<readonly SubscriptionMetrics[]> {
  const ids = await subscriptionListOf(env, tenant).ids();
  const all: SubscriptionMetrics[] = [];
  for (let i = 0; i < ids.length; i += TOGETHER) {
    const some = ids
      .slice(i, i + TOGETHER)
      .map((id) => orNothing(id, readSubscription(env, tenant, id)));
    for (const one of await Promise.all(some)) if (one !== undefined) all.push(one);
  }
  return all;
}

/** Nothing of one that is being made, or was ended meanwhile. */
async function readSubscription(
  env: Env,
  tenant: string,
  id: string,
): Promise<SubscriptionMetrics | undefined> {
  try {
    return unwrap(await subscriptionOf(env, id, tenant).metrics());
  } catch (error) {
    if (hasCode(error, 'subscription.unknown')) return undefined;
    throw error;
  }
}

function lagOf(
  { families, cursors }: SubscriptionMetrics,
  shards: readonly (readonly [name: string, stats: ShardStats])[],
): readonly MetricFamily[] {
  const labels = families[0]?.samples[0]?.labels ?? {};
  const lag = shards.reduce(
    (sum, [name, { head }]) => sum + Math.max(0, head - (cursors[name] ?? 0)),
    0,
  );
  return new MetricBuilder().gauge('millrace_delivery_lag_events', BEHIND, lag, labels).families();
}

/** `shard-0` is `0`. */
function labelOf(shard: string): string {
  return shard.replace('shard-', '');
}
