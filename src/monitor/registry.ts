/**
 * One registry of metrics: what is counted in it, and what it asks others for when it is read.
 *
 * @example
 * const metrics = new MetricRegistry();
 * const sold = metrics.counter('shop_orders_total', 'Orders placed.', ['currency']);
 * sold.of('EUR').add();
 * formatPrometheus(await metrics.read());
 */
import type { Undo } from '../ports.ts';
import type { MaybePromise } from '../storage/storage.ts';
import { Histogram, type BucketOptions } from './histogram.ts';
import { MetricBuilder, mergeFamilies, metricLimits, OTHER } from './metric-builder.ts';
import { checkMetric, invalidMetric, type MetricFamily, type MetricType } from './metric.ts';

export interface Counter {
  /** By a number from 0 on. Default: 1. */
  add(by?: number): void;
  readonly value: number;
}

export interface Gauge {
  set(value: number): void;
  readonly value: number;
}

/** One metric of several series. */
export interface Labelled<T> {
  /**
   * The series with these values of the labels, in their order. To be kept where it is used often. Past 100 series
   * (`metricLimits`), all others are one, whose labels are `other`.
   *
   * @throws MillraceError `query.invalid` where there are fewer values than labels, or more
   */
  of(...values: readonly string[]): T;
}

/** Asked at each reading. What it throws is counted, and keeps nothing else from being read. */
export type MetricSource = () => MaybePromise<readonly MetricFamily[]>;

interface Own {
  readonly name: string;
  read(builder: MetricBuilder): void;
}

export class MetricRegistry {
  readonly #own = new Map<string, Own>();
  readonly #sources = new Set<MetricSource>();
  #failures = 0;

  /** @throws MillraceError `query.invalid` for a name that is taken, or that Prometheus would not take */
  counter(name: string, help: string, labels: readonly string[] = []): Labelled<Counter> {
    const read = (counter: Counter) => ({ value: counter.value });
    return this.#add({ name, help, type: 'counter', labels }, () => new Count(), read);
  }

  /** @throws MillraceError as `counter` does */
  gauge(name: string, help: string, labels: readonly string[] = []): Labelled<Gauge> {
    return this.#add(
      { name, help, type: 'gauge', labels },
      () => new Level(),
      ({ value }) => ({ value }),
    );
  }

  /** @throws MillraceError as `counter` does */
  histogram(
    name: string,
    help: string,
    buckets: BucketOptions,
    labels: readonly string[] = [],
  ): Labelled<Histogram> {
    const make = (): Histogram => new Histogram(buckets);
    const read = (histogram: Histogram) => ({ histogram: histogram.read() });
    return this.#add({ name, help, type: 'histogram', labels }, make, read);
  }

  /** From now on the source is asked, too. */
  collect(source: MetricSource): Undo {
    const own: MetricSource = () => source();
    this.#sources.add(own);
    return () => void this.#sources.delete(own);
  }

  /** All metrics, as they are now: plain data. */
  async read(): Promise<readonly MetricFamily[]> {
    const asked = [...this.#sources].map(async (source) => source());
    const lists = (await Promise.allSettled(asked)).flatMap((result) => {
      if (result.status === 'fulfilled') return [result.value];
      this.#failures++;
      return [];
    });
    const builder = new MetricBuilder(Infinity);
    for (const own of this.#own.values()) own.read(builder);
    builder.counter(
      'millrace_monitor_failures_total',
      'Sources that could not be read.',
      this.#failures,
    );
    return mergeFamilies([builder.families(), ...lists]);
  }

  #add<T>(
    metric: Metric,
    make: () => T,
    read: (
      series: T,
    ) => { readonly value: number } | { readonly histogram: ReturnType<Histogram['read']> },
  ): Labelled<T> {
    checkMetric(metric.name, metric.type, metric.labels);
    if (this.#own.has(metric.name)) throw invalidMetric('/name', metric.name, 'must be unique');
    const family = new LabelledFamily(metric, make);
    this.#own.set(metric.name, {
      name: metric.name,
      read: (builder) => {
        for (const [labels, one] of family.all()) builder.sample(metric, { labels, ...read(one) });
      },
    });
    return family;
  }
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labels: readonly string[];
}

class Count implements Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  add(by = 1): void {
    if (by > 0) this.#value += by;
  }
}

class Level implements Gauge {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  set(value: number): void {
    this.#value = value;
  }
}

class LabelledFamily<T> implements Labelled<T> {
  readonly #labels: readonly string[];
  readonly #make: () => T;
  readonly #series = new Map<string, { readonly values: readonly string[]; readonly one: T }>();

  constructor({ labels }: Metric, make: () => T) {
    this.#labels = labels;
    this.#make = make;
    // There from the start, so that its first rise is seen as one.
    if (labels.length === 0) this.of();
  }

  of(...values: readonly string[]): T {
    if (values.length !== this.#labels.length)
      throw invalidMetric('/labels', values.join(), `must be ${this.#labels.length}`);
    const key = values.length === 1 ? values[0]! : JSON.stringify(values);
    const known = this.#series.get(key)?.one;
    if (known !== undefined) return known;
    if (this.#series.size >= metricLimits.series && !values.every((value) => value === OTHER))
      return this.of(...values.map(() => OTHER));
    const one = this.#make();
    this.#series.set(key, { values, one });
    return one;
  }

  *all(): Iterable<readonly [labels: Record<string, string>, one: T]> {
    for (const { values, one } of this.#series.values())
      yield [Object.fromEntries(this.#labels.map((label, i) => [label, values[i]!])), one];
  }
}
