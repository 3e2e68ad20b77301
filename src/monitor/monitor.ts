/**
 * Watches the parts of a program and says how they are: one registry, read as an object, as text for Prometheus, or as
 * events. What is counted is exact; how long handlers take is from calls that are timed now and then
 * (`samplingLimits`), so that a publish costs what it did.
 *
 * The parts know nothing of it: each says by `stats()` or `status` what it has counted.
 *
 * @example
 * const monitor = new Monitor();
 * monitor.watchBus('shop', bus);
 * monitor.watchLog('orders', storage);
 * new Response(await monitor.text(), { headers: { 'content-type': PROMETHEUS_TYPE } });
 */
import { hostClock, type Undo } from '../ports.ts';
import type { MaybePromise, Storage } from '../storage/storage.ts';
import type { CallObserver } from '../bus/sampling.ts';
import {
  busMetrics,
  deadLetterMetrics,
  routerMetrics,
  topicMetrics,
  type WatchedBus,
  type WatchedDeadLetters,
  type WatchedRouter,
  type WatchedTopics,
} from './bus-metrics.ts';
import { CallTimes } from './call-times.ts';
import { formatOpenMetrics, formatPrometheus } from './exposition.ts';
import { callBuckets, type Histogram } from './histogram.ts';
import {
  consumerMetrics,
  logMetrics,
  statusMetrics,
  syncMetrics,
  windowMetrics,
  type WatchedConsumer,
  type WatchedSync,
  type WatchedWindows,
} from './log-metrics.ts';
import type { MetricFamily } from './metric.ts';
import { MetricRegistry, type Labelled, type MetricSource } from './registry.ts';
import { storageTimes, timedStorage, type StorageTimesOf } from './timed-storage.ts';

export interface MonitorOptions {
  /** Where metrics of one's own are, too. Default: a new one. */
  readonly registry?: MetricRegistry | undefined;
  /** In ms since any point; never goes back. Default: the host's. */
  readonly clock?: (() => number) | undefined;
}

interface Observed {
  readonly deadLetters: WatchedDeadLetters;
  observe(observer: CallObserver): Undo;
}

interface Calls {
  readonly times: (called: string) => Histogram;
  readonly read: MetricSource;
}

export class Monitor implements Disposable {
  readonly registry: MetricRegistry;
  readonly #clock: () => number;
  readonly #handlers: Labelled<Histogram>;
  readonly #rules: Labelled<Histogram>;
  readonly #undos = new Set<Undo>();
  #storages: StorageTimesOf | undefined;

  constructor(options: MonitorOptions = {}) {
    const { registry = new MetricRegistry(), clock = hostClock } = options;
    this.registry = registry;
    this.#clock = clock;
    const sampled = 'How long handlers take; its count is that of the calls that were timed.';
    this.#handlers = registry.histogram('millrace_handler_seconds', sampled, callBuckets, [
      'bus',
      'handler',
    ]);
    const rules = 'How long targets take; its count is that of the deliveries that were timed.';
    this.#rules = registry.histogram('millrace_rule_seconds', rules, callBuckets, ['router', 'rule']);
  }

  /** Events by type, and of each handler what became of them and how long it takes. */
  watchBus(name: string, bus: WatchedBus): Undo {
    const times = (handler: string): Histogram => this.#handlers.of(name, handler);
    return this.#watchCalls(name, bus, { times, read: () => busMetrics(name, bus) });
  }

  /** Of each subscriber its queue, what became of its events, and how long it takes. */
  watchTopics(name: string, topics: WatchedTopics): Undo {
    const times = (handler: string): Histogram => this.#handlers.of(name, handler);
    return this.#watchCalls(name, topics, { times, read: () => topicMetrics(name, topics) });
  }

  watchRouter(name: string, router: WatchedRouter): Undo {
    const times = (rule: string): Histogram => this.#rules.of(name, rule);
    return this.#watchCalls(name, router, { times, read: () => routerMetrics(name, router) });
  }

  /** Of any host that keeps some. Those of a bus, of topics and of a router are watched with it. */
  watchDeadLetters(name: string, letters: WatchedDeadLetters): Undo {
    return this.#watch(() => deadLetterMetrics(name, letters));
  }

  /** How large a log is. */
  watchLog(name: string, storage: Pick<Storage, 'stats'>): Undo {
    return this.#watch(async () => logMetrics(await storage.stats(), { log: name }));
  }

  /** The same storage; how long it takes is in the metrics from now on. */
  timedStorage(name: string, storage: Storage): Storage {
    this.#storages ??= storageTimes(this.registry);
    return timedStorage(storage, this.#storages(name), this.#clock);
  }

  /** A stream that runs, or a window operator. */
  watchWindows(name: string, windows: WatchedWindows): Undo {
    return this.#watch(() => windowMetrics(name, windows));
  }

  /** How far a consumer, a reactor or a projection's consumer is behind its log. */
  watchConsumer(name: string, consumer: WatchedConsumer): Undo {
    return this.#watch(() => consumerMetrics(name, consumer));
  }

  /** Where a device's events are, and what its pusher does. */
  watchSync(name: string, sync: WatchedSync): Undo {
    return this.#watch(() => syncMetrics(name, sync));
  }

  /**
   * The numbers of any object that says how something is, such as the page's client:
   * `monitor.watchStatus('page', () => client.status())`.
   */
  watchStatus(name: string, status: () => MaybePromise<object>): Undo {
    return this.#watch(async () => statusMetrics(name, await status()));
  }

  read(): Promise<readonly MetricFamily[]> {
    return this.registry.read();
  }

  /** For Prometheus. Default: its own format, version 0.0.4. */
  async text(format: 'prometheus' | 'openmetrics' = 'prometheus'): Promise<string> {
    const families = await this.read();
    return format === 'prometheus' ? formatPrometheus(families) : formatOpenMetrics(families);
  }

  /** Watches nothing more. What it has counted itself stays in the registry. */
  close(): void {
    for (const undo of this.#undos) undo();
    this.#undos.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #watchCalls(name: string, watched: Observed, { times, read }: Calls): Undo {
    const observer = new CallTimes(this.#clock, times);
    const undos = [watched.observe(observer), this.watchDeadLetters(name, watched.deadLetters)];
    const ask: MetricSource = () => {
      observer.refresh();
      return read();
    };
    return this.#watch(ask, () => undos.forEach((undo) => undo()));
  }

  #watch(source: MetricSource, also?: Undo): Undo {
    const stop = this.registry.collect(source);
    const undo = (): void => {
      this.#undos.delete(undo);
      stop();
      also?.();
    };
    this.#undos.add(undo);
    return undo;
  }
}
