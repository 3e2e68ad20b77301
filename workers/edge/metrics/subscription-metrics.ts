/**
 * A subscription's metrics, from its tables alone: they survive its object, so that what they count is what was attempted
 * and delivered since the subscription was made.
 */
import { MetricBuilder } from '../../../src/monitor/metric-builder.ts';
import type { MetricFamily } from '../../../src/monitor/metric.ts';
import type { Position } from '../../../src/storage/position.ts';
import { latencyOf, readLedger } from '../delivery/ledger.ts';
import { readSettings } from '../delivery/settings.ts';
import { readStanding } from '../delivery/standing.ts';
import { Status, type SqlDatabase } from '../delivery/tables.ts';

export interface SubscriptionMetrics {
  readonly families: readonly MetricFamily[];
  /** How far each shard was read, by its name: how far that is behind, the reader knows. */
  readonly cursors: Readonly<Record<string, Position>>;
}

const states = ['pending', 'active', 'paused', 'disabled'] as const;

export function subscriptionMetrics(database: SqlDatabase, now: number): SubscriptionMetrics {
  const { id: subscription, serviceName: service } = readSettings(database);
  const ledger = readLedger(database);
  const labels = { subscription, service };
  const { attempts, failures, delivered, dropped, dead, waiting, sequence, breaker } = ledger;
  const builder = new MetricBuilder()
    .counter('millrace_delivery_attempts_total', 'Requests to the endpoint.', attempts, labels)
    .counter('millrace_delivery_failures_total', 'Attempts that were no success.', failures, labels)
    .histogram('millrace_delivery_seconds', 'How long attempts took.', latencyOf(ledger), labels)
    .counter('millrace_deliveries_total', 'Deliveries that were made up.', sequence, labels)
    .counter('millrace_deliveries_delivered_total', 'Of these, delivered.', delivered, labels)
    .counter('millrace_deliveries_dropped_total', 'Of these, given up by the owner.', dropped, labels)
    .gauge('millrace_deliveries_waiting', 'Of these, waiting.', waiting, labels)
    .gauge('millrace_deliveries_dead', 'Of these, dead letters.', dead, labels)
    .gauge(
      'millrace_delivery_oldest_seconds',
      'How old the oldest is that waits.',
      oldest(database, now),
      labels,
    )
    .gauge('millrace_delivery_breaker_open', 'Whether it is open.', breaker.opened > 0 ? 1 : 0, labels);
  const { state: current } = readStanding(database);
  for (const state of states)
    builder.gauge('millrace_subscription_state', 'Its state.', state === current ? 1 : 0, {
      ...labels,
      state,
    });
  return { families: builder.families(), cursors: cursorsOf(database) };
}

/** In seconds. The heads of the lanes are the oldest of theirs. */
function oldest(database: SqlDatabase, now: number): number {
  const [row] = database.exec(
    `SELECT created_at FROM delivery WHERE status = ${Status.waiting} ORDER BY sequence LIMIT 1`,
  );
  return row === undefined ? 0 : Math.max(0, now - (row['created_at'] as number)) / 1000;
}

/** A replay's are named behind its id and a space. */
function cursorsOf(database: SqlDatabase): Readonly<Record<string, Position>> {
  const rows = database.exec(`SELECT source, position FROM cursor`);
  return Object.fromEntries(
    rows
      .filter(({ source }) => !(source as string).includes(' '))
      .map(({ source, position }) => [source as string, position as Position]),
  );
}
