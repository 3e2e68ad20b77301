/** Puts families together out of what is read elsewhere, within bounds. */
import { addHistograms } from './histogram.ts';
import {
  checkMetric,
  type HistogramValue,
  type MetricFamily,
  type MetricLabels,
  type MetricSample,
  type MetricType,
} from './metric.ts';

export const metricLimits = {
  /** Series of one metric from one source. Those beyond it are counted together, in one whose labels are `other`. */
  series: 100,
  /** Characters of a label's value; longer ones are cut. */
  labelValue: 120,
} as const;

/** What stands in the labels of the series that holds all that have none of their own. */
export const OTHER = 'other';

export class MetricBuilder {
  readonly #families = new Map<string, Family>();
  readonly #maxSeries: number;

  constructor(maxSeries: number = metricLimits.series) {
    this.#maxSeries = maxSeries;
  }

  counter(name: string, help: string, value: number, labels: MetricLabels = {}): this {
    return this.#add(name, help, 'counter', { labels, value });
  }

  gauge(name: string, help: string, value: number, labels: MetricLabels = {}): this {
    return this.#add(name, help, 'gauge', { labels, value });
  }

  histogram(name: string, help: string, histogram: HistogramValue, labels: MetricLabels = {}): this {
    return this.#add(name, help, 'histogram', { labels, histogram });
  }

  /** A sample of the same labels as one before is added to it. */
  sample({ name, help, type }: Omit<MetricFamily, 'samples'>, sample: MetricSample): this {
    return this.#add(name, help, type, sample);
  }

  /** In the order in which they were first named. */
  families(): readonly MetricFamily[] {
    return Array.from(this.#families.values(), ({ name, help, type, series }) => ({
      ...{ name, help, type },
      samples: [...series.values()],
    }));
  }

  #add(name: string, help: string, type: MetricType, sample: MetricSample): this {
    let family = this.#families.get(name);
    if (family === undefined) {
      checkMetric(name, type, Object.keys(sample.labels));
      family = { name, help, type, series: new Map() };
      this.#families.set(name, family);
    }
    addSample(family.series, sample, this.#maxSeries);
    return this;
  }
}

interface Family extends Omit<MetricFamily, 'samples'> {
  readonly series: Map<string, MetricSample>;
}

function addSample(series: Map<string, MetricSample>, sample: MetricSample, maximum: number): void {
  const cut = Object.entries(sample.labels).map(
    ([label, value]) => [label, value.slice(0, metricLimits.labelValue)] as const,
  );
  const own = JSON.stringify(cut);
  const fits = series.has(own) || series.size < maximum;
  const entries = fits ? cut : cut.map(([label]) => [label, OTHER] as const);
  const key = fits ? own : JSON.stringify(entries);
  const before = series.get(key);
  const labels = Object.fromEntries(entries);
  series.set(key, before === undefined ? { ...sample, labels } : added(before, sample));
}

function added(a: MetricSample, b: MetricSample): MetricSample {
  if (a.histogram !== undefined && b.histogram !== undefined)
    return { labels: a.labels, histogram: addHistograms(a.histogram, b.histogram) };
  return { labels: a.labels, value: (a.value ?? 0) + (b.value ?? 0) };
}

/** The families of several sources as one list: those of one name together. Default: all their series. */
export function mergeFamilies(
  lists: Iterable<readonly MetricFamily[]>,
  maxSeries = Infinity,
): readonly MetricFamily[] {
  const builder = new MetricBuilder(maxSeries);
  for (const list of lists)
    for (const family of list) for (const sample of family.samples) builder.sample(family, sample);
  return builder.families();
}

/** The families with more labels on each of their series. */
export function withLabels(
  families: readonly MetricFamily[],
  labels: MetricLabels,
): readonly MetricFamily[] {
  return families.map((family) => ({
    ...family,
    samples: family.samples.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
  }));
}
