/**
 * A shard's metrics. There is one object of a shard, so that what it counts in memory is a counter as Prometheus wants it:
 * it starts again with the object, and `millrace_shard_start_seconds` says when that was. Events that were accepted are
 * no such count: they are the log's head, which survives everything.
 */
import { Histogram, requestBuckets, sizeBuckets } from '../../../src/monitor/histogram.ts';
import { MetricBuilder } from '../../../src/monitor/metric-builder.ts';
import type { MetricFamily } from '../../../src/monitor/metric.ts';
import type { ArchivedStats } from '../../../src/storage/sqlite.ts';
import type { StorageStats } from '../../../src/storage/storage.ts';

/** A request that may commit. */
export type IntakeKind = 'publish' | 'push';

/** Producers that are known by their last push. */
const MOST_PRODUCERS = 10_000;
const ACTIVE_MS = 300_000;

/** What the shard knows of itself when it is asked. */
export interface ShardNow extends StorageStats {
  readonly waitingRequests: number;
  readonly waitingCharacters: number;
  readonly refusedRequests: number;
  readonly sockets: number;
  readonly rowsWritten: number;
  /** The position that the windows were brought to. */
  readonly windowsAt: number;
  readonly archived: ArchivedStats;
}

export interface ShardMetricsOptions {
  /** In ms since any point; never goes back. */
  readonly clock: () => number;
  /** In ms since the Unix epoch. */
  readonly now: () => number;
}

export class ShardMetrics {
  readonly #options: ShardMetricsOptions;
  readonly #startedAt: number;
  readonly #intake = { publish: new Histogram(requestBuckets), push: new Histogram(requestBuckets) };
  readonly #commitSeconds = new Histogram(requestBuckets);
  readonly #group = new Histogram(sizeBuckets);
  readonly #producers = new Map<string, number>();
  #commits = 0;
  #duplicates = 0;
  #streams = 0;
  #upkeepFailures = 0;

  constructor(options: ShardMetricsOptions) {
    this.#options = options;
    this.#startedAt = options.now();
  }

  /** Times a request from its arrival until it is on disk, were it refused. */
  async intake<T>(kind: IntakeKind, run: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const start = clock();
    try {
      return await run();
    } finally {
      this.#intake[kind].observe((clock() - start) / 1000);
    }
  }

  /** Times a transaction, of so many commits. */
  async transaction<T>(commits: number, run: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const start = clock();
    this.#commits += commits;
    this.#group.observe(commits);
    try {
      return await run();
    } finally {
      this.#commitSeconds.observe((clock() - start) / 1000);
    }
  }

  /** Events that were known already. */
  duplicates(events: number): void {
    this.#duplicates += events;
  }

  pushed(producer: string): void {
    // The latest stands last.
    this.#producers.delete(producer);
    this.#producers.set(producer, this.#options.now());
    if (this.#producers.size <= MOST_PRODUCERS) return;
    const [oldest] = this.#producers.keys();
    this.#producers.delete(oldest!);
  }

  /** A step of what the shard does behind its answers: windows, compaction, archive. */
  upkeepFailed(): void {
    this.#upkeepFailures++;
  }

  /** A live reader's stream is open until what is returned is called, once or more. */
  streamOpened(): () => void {
    this.#streams++;
    let open = true;
    return () => {
      if (open) this.#streams--;
      open = false;
    };
  }

  read(now: ShardNow): readonly MetricFamily[] {
    const builder = new MetricBuilder();
    this.#readLog(builder, now);
    this.#readIntake(builder, now);
    this.#readUpkeep(builder, now);
    return builder
      .gauge('millrace_live_sockets', 'Open WebSockets of live readers.', now.sockets)
      .gauge('millrace_live_streams', 'Open event streams of live readers.', this.#streams)
      .gauge('millrace_producers_active', 'Producers that pushed within five minutes.', this.#active())
      .gauge('millrace_shard_start_seconds', 'When its counters began.', this.#startedAt / 1000)
      .families();
  }

  #readLog(builder: MetricBuilder, now: ShardNow): void {
    builder
      .counter('millrace_events_accepted_total', 'Events that were stored, each once.', now.head)
      .counter('millrace_events_duplicate_total', 'Events that were known.', this.#duplicates)
      .gauge('millrace_log_events', 'Events that can be read.', now.events)
      .gauge('millrace_log_characters', 'Characters of their lines.', now.bytes)
      .gauge('millrace_log_segments', 'Rows that hold them.', now.segments)
      .gauge('millrace_log_head', 'The last position that was given.', now.head)
      .gauge('millrace_log_trimmed', 'The last position that was trimmed.', now.trimmed)
      .gauge('millrace_rows_written', 'Rows since it was last woken.', now.rowsWritten);
  }

  #readIntake(builder: MetricBuilder, now: ShardNow): void {
    const took = 'How long requests took at the shard, until they were on disk.';
    for (const kind of ['publish', 'push'] as const)
      builder.histogram('millrace_intake_seconds', took, this.#intake[kind].read(), { kind });
    const refused = 'Requests that were refused with 429, for too much waited.';
    builder
      .counter('millrace_intake_refused_total', refused, now.refusedRequests)
      .gauge('millrace_intake_waiting_requests', 'Requests that wait.', now.waitingRequests)
      .gauge('millrace_intake_waiting_characters', 'Characters of theirs.', now.waitingCharacters)
      .counter('millrace_commits_total', 'Commits.', this.#commits)
      .histogram('millrace_commit_group', 'Commits in one transaction.', this.#group.read())
      .histogram('millrace_commit_seconds', 'How long a transaction took.', this.#commitSeconds.read());
  }

  #readUpkeep(builder: MetricBuilder, { head, windowsAt, archived }: ShardNow): void {
    const { segments, objects, bytes } = archived;
    const lag = Math.max(0, head - windowsAt);
    const failed = 'Steps of windows, compaction and archive that failed; each is tried again.';
    builder
      .gauge('millrace_windows_lag_events', 'Events that the windows do not hold yet.', lag)
      .counter('millrace_upkeep_failures_total', failed, this.#upkeepFailures)
      .gauge('millrace_archive_segments', 'Segments in the archive.', segments)
      .gauge('millrace_archive_objects', 'Objects in the archive that hold them.', objects)
      .gauge('millrace_archive_bytes', 'Bytes of their lines.', bytes);
  }

  #active(): number {
    const since = this.#options.now() - ACTIVE_MS;
    for (const [producer, at] of this.#producers) {
      if (at >= since) break;
      this.#producers.delete(producer);
    }
    return this.#producers.size;
  }
}
