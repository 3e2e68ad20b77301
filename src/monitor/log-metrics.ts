/** What a log, and those that read it, say of themselves, as metrics. */
import type { ConsumerStatus } from '../storage/event-store/consumer.ts';
import type { MaybePromise, Storage, StorageStats } from '../storage/storage.ts';
import { readProgress } from '../sync/progress.ts';
import type { PushState, PushStatus } from '../sync/push-status.ts';
import type { WindowCounts } from '../windows/window-update.ts';
import { MetricBuilder } from './metric-builder.ts';
import type { MetricFamily, MetricLabels } from './metric.ts';

/** A `StreamRun` or a `WindowOperator`. */
export interface WatchedWindows {
  readonly watermark: number;
  readonly counts: WindowCounts;
  readonly size: { readonly keys: number; readonly rows: number };
}

/** A `Consumer`, a `Reactor`, or whatever else reads a log from a checkpoint. */
export interface WatchedConsumer {
  status(): MaybePromise<Pick<ConsumerStatus, 'lag' | 'paused'>>;
}

export interface WatchedSync {
  /** The device's log. */
  readonly storage: Storage;
  readonly pusher?: { readonly status: PushStatus } | undefined;
}

export function logMetrics(stats: StorageStats, labels: MetricLabels): readonly MetricFamily[] {
  return new MetricBuilder()
    .gauge('millrace_log_events', 'Events that can be read.', stats.events, labels)
    .gauge('millrace_log_characters', 'Characters of their lines.', stats.bytes, labels)
    .gauge('millrace_log_segments', 'Rows or records that hold them.', stats.segments, labels)
    .gauge('millrace_log_head', 'The last position that was given.', stats.head, labels)
    .gauge('millrace_log_trimmed', 'The last position that was trimmed.', stats.trimmed, labels)
    .families();
}

export function windowMetrics(
  stream: string,
  { watermark, counts, size }: WatchedWindows,
): readonly MetricFamily[] {
  const labels = { stream };
  const builder = new MetricBuilder()
    .counter('millrace_windows_events_total', 'Events that were counted.', counts.events, labels)
    .counter('millrace_windows_late_total', 'Events that came too late.', counts.late, labels)
    .counter(
      'millrace_windows_dead_letters_total',
      'Events that could not be counted.',
      counts.deadLetters,
      labels,
    )
    .gauge('millrace_windows_keys', 'Keys in memory.', size.keys, labels)
    .gauge('millrace_windows_rows', 'Rows of windows in memory.', size.rows, labels);
  if (Number.isFinite(watermark)) {
    const help = 'The watermark, in seconds since the Unix epoch.';
    builder.gauge('millrace_windows_watermark_seconds', help, watermark / 1000, labels);
  }
  return builder.families();
}

export async function consumerMetrics(
  consumer: string,
  watched: WatchedConsumer,
): Promise<readonly MetricFamily[]> {
  const { lag, paused } = await watched.status();
  const stands = 'Whether it stands still at an event that it cannot take.';
  return new MetricBuilder()
    .gauge('millrace_consumer_lag_events', 'Events that it has not read yet.', lag, { consumer })
    .gauge('millrace_consumer_paused', stands, paused === undefined ? 0 : 1, { consumer })
    .families();
}

const pushStates: readonly PushState[] = ['idle', 'pushing', 'backoff', 'offline', 'fenced', 'stopped'];

export async function syncMetrics(
  device: string,
  { storage, pusher }: WatchedSync,
): Promise<readonly MetricFamily[]> {
  const { waiting, acknowledged, rejected, dropped } = await readProgress(storage);
  const builder = new MetricBuilder();
  for (const [state, events] of Object.entries({ waiting, acknowledged, rejected, dropped }))
    builder.gauge('millrace_sync_events', 'Events of the device, by where they are.', events, {
      device,
      state,
    });
  if (pusher === undefined) return builder.families();
  const { state: now, skewMs } = pusher.status;
  for (const state of pushStates)
    builder.gauge('millrace_sync_state', 'What the pusher is doing.', state === now ? 1 : 0, {
      device,
      state,
    });
  if (skewMs !== undefined) {
    const help = 'How far the edge’s clock is ahead.';
    builder.gauge('millrace_sync_clock_skew_seconds', help, skewMs / 1000, { device });
  }
  return builder.families();
}

/** The numbers, and whether what is true or false is so, of an object that says how something is. */
export function statusMetrics(of: string, status: object): readonly MetricFamily[] {
  const builder = new MetricBuilder();
  for (const [field, value] of Object.entries(status)) {
    if (typeof value === 'boolean' || Number.isFinite(value))
      builder.gauge('millrace_status', 'What a status says, by its field.', Number(value), {
        of,
        field,
      });
  }
  return builder.families();
}
