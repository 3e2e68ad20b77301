/**
 * What a metric is: Prometheus' data model, as plain data, so that it crosses a worker's or an object's boundary, is read
 * as JSON, and is written as text by `exposition.ts`.
 *
 * @see https://prometheus.io/docs/concepts/data_model/
 */
import { MillraceError } from '../errors.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram';

export type MetricLabels = Readonly<Record<string, string>>;

/** A counter's name ends in `_total`; units are base units, seconds and characters, and stand in the name. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly samples: readonly MetricSample[];
}

/** One series. A histogram's has `histogram`, any other a `value`. */
export interface MetricSample {
  readonly labels: MetricLabels;
  readonly value?: number;
  readonly histogram?: HistogramValue;
}

export interface HistogramValue {
  /** The upper bound of each bucket, inclusive, rising. */
  readonly bounds: readonly number[];
  /** What fell into each bucket and into no lower one; the last is of what is above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

const METRIC_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** @throws MillraceError `query.invalid` for names that Prometheus would not take. */
export function checkMetric(name: string, type: MetricType, labels: readonly string[] = []): void {
  if (!METRIC_NAME.test(name)) throw invalidMetric('/name', name, `must match ${METRIC_NAME.source}`);
  if ((type === 'counter') !== name.endsWith('_total'))
    throw invalidMetric('/name', name, 'must end in _total if it is a counter, and only then');
  for (const label of labels) {
    if (!METRIC_NAME.test(label) || label.startsWith('__') || label === 'le')
      throw invalidMetric('/labels', label, `must match ${METRIC_NAME.source}, and be no reserved name`);
  }
}

export function invalidMetric(
  path: string,
  value: unknown,
  reason: string,
): MillraceError<'query.invalid'> {
  return new MillraceError('query.invalid', `metric ${path.slice(1)} ${reason}: got ${String(value)}`, {
    path,
    value,
    reason,
  });
}
