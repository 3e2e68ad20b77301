/** A subscription and its deliveries as they are shown, in the wire's words. */
import { MillraceError } from '../../../src/errors.ts';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { formatCursor } from '../../../src/storage/cursor.ts';
import { deadLetterToWire, type WireDeadLetter } from '../../../src/storage/dead-letters/dead-letter.ts';
import type { Pattern } from '../../../src/routing/pattern.ts';
import type { DeliveryFormat } from './body.ts';
import { listReplays } from './feed.ts';
import type { PastDelivery } from './history.ts';
import { readLedger } from './ledger.ts';
import { readSettings } from './settings.ts';
import { deliveryId } from './signature.ts';
import { readStanding, type State } from './standing.ts';
import { readFact, type SqlDatabase, type StatusName } from './tables.ts';

export interface SubscriptionView {
  readonly id: string;
  readonly service_name: string;
  readonly event_types?: readonly string[];
  readonly pattern?: Pattern;
  readonly callback_url: string;
  readonly format: DeliveryFormat;
  readonly batch?: number;
  readonly concurrency: number;
  readonly timeout_ms: number;
  readonly retry_for_ms: number;
  readonly created_at: string;
  readonly state: State;
  readonly since: string;
  readonly reason?: string;
  /** How far each log was read. */
  readonly cursors: Readonly<Record<string, string>>;
  /** The last that was given to a delivery. */
  readonly sequence: number;
  readonly waiting: number;
  readonly delivered: number;
  readonly dead_letters: number;
  readonly dropped: number;
  /** Events that are damaged at rest, and were stepped over. */
  readonly damaged: number;
  readonly breaker: 'closed' | 'open';
  /** Requests a minute that the endpoint takes, as it said with `WebHook-Allowed-Rate`. */
  readonly allowed_rate?: number;
  readonly next_probe_at?: string;
  /** As the endpoint has asked with `Retry-After`. */
  readonly held_until?: string;
  /** Why the logs cannot be read. */
  readonly trouble?: string;
  /** Under way. */
  readonly replays: readonly string[];
}

/** What a dead letter has at every host. Its events are named by `event_ids`, and are at `GET /events/{id}`. */
type DeadView = Pick<WireDeadLetter, 'id' | 'part' | 'name' | 'reason' | 'first_at' | 'last_at'>;

/** One that was given up is a dead letter, too. */
export interface DeliveryView extends Partial<DeadView> {
  readonly sequence: number;
  readonly webhook_id: string;
  readonly status: StatusName;
  readonly event_ids: readonly string[];
  readonly created_at: string;
  readonly settled_at?: string;
  readonly attempts: number;
  /** The first, and the last ones. */
  readonly trail: readonly {
    readonly at: string;
    readonly latency_ms: number;
    readonly status?: number;
    readonly error?: string;
    readonly excerpt?: string;
  }[];
}

export function viewSubscription(
  database: SqlDatabase,
  { now, trouble }: { readonly now: number; readonly trouble: string | undefined },
): SubscriptionView {
  const settings = readSettings(database);
  const { state, since, reason, ratePerMinute } = readStanding(database);
  const { breaker, holdUntil, sequence, waiting, delivered, dead, dropped } = readLedger(database);
  const { selection, batch } = settings;
  return {
    id: settings.id,
    service_name: settings.serviceName,
    ...('pattern' in selection ? { pattern: selection.pattern } : { event_types: selection.eventTypes }),
    callback_url: settings.callbackUrl,
    format: settings.format,
    ...(batch !== undefined && { batch }),
    concurrency: settings.concurrency,
    timeout_ms: settings.timeoutMs,
    retry_for_ms: settings.retryForMs,
    created_at: formatTimestamp(settings.createdAt),
    state,
    since: formatTimestamp(since),
    ...(reason !== undefined && { reason }),
    cursors: cursorsOf(database),
    ...{ sequence, waiting, delivered, dead_letters: dead, dropped },
    damaged: readFact<number>(database, 'damaged') ?? 0,
    breaker: breaker.opened > 0 ? 'open' : 'closed',
    ...(ratePerMinute !== undefined && { allowed_rate: ratePerMinute }),
    ...(breaker.opened > 0 && { next_probe_at: formatTimestamp(breaker.probeAt) }),
    ...(holdUntil > now && { held_until: formatTimestamp(holdUntil) }),
    ...(trouble !== undefined && { trouble }),
    replays: listReplays(database).map(({ id }) => id),
  };
}

export function viewDelivery(subscription: string, delivery: PastDelivery): DeliveryView {
  const { sequence, status, ids, createdAt, settledAt, attempts, trail } = delivery;
  return {
    sequence,
    webhook_id: deliveryId(subscription, sequence),
    status,
    event_ids: ids,
    created_at: formatTimestamp(createdAt),
    ...(settledAt !== undefined && { settled_at: formatTimestamp(settledAt) }),
    attempts,
    ...(status === 'dead' && viewDead(subscription, delivery)),
    trail: trail.map(({ at, latencyMs, ...rest }) => ({
      at: formatTimestamp(at),
      latency_ms: latencyMs,
      ...rest,
    })),
  };
}

/** What the last attempt has failed with. */
function reasonOf(subscription: string, { trail }: PastDelivery): MillraceError<'delivery.failed'> {
  const { status, error = `the endpoint answered ${status ?? 'nothing'}` } = trail.at(-1) ?? {};
  const details = { subscription, ...(status !== undefined && { status }), reason: error };
  return new MillraceError('delivery.failed', error, details);
}

/** As any host shows its dead letters. `first_at` is its first attempt. */
function viewDead(subscription: string, delivery: PastDelivery): DeadView {
  const { sequence, createdAt, settledAt = createdAt, trail, attempts } = delivery;
  const { id, part, name, reason, first_at, last_at } = deadLetterToWire({
    id: String(sequence),
    where: { part: 'subscription', name: subscription },
    reason: reasonOf(subscription, delivery).toWire(),
    attempts,
    firstAt: trail[0]?.at ?? createdAt,
    lastAt: settledAt,
  });
  return { id, part, name, reason, first_at, last_at };
}

/** Those of shards: a replay's are named behind its id and a space. */
function cursorsOf(database: SqlDatabase): Readonly<Record<string, string>> {
  const rows = database.exec(`SELECT source, position FROM cursor ORDER BY source`);
  return Object.fromEntries(
    rows
      .filter(({ source }) => !(source as string).includes(' '))
      .map(({ source, position }) => [source as string, formatCursor(position as number)]),
  );
}
