/**
 * Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @see https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 */
import type { HistogramValue, MetricFamily, MetricLabels, MetricSample } from './metric.ts';

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export type MetricFormat = 'prometheus' | 'openmetrics' | 'json';

/** What an `Accept` header asks for, by its weights (RFC 9110, section 12.5.1). Prometheus' text, where it does not say. */
export function chooseFormat(accept: string | undefined): MetricFormat {
  let chosen: { readonly format: MetricFormat; readonly weight: number } | undefined;
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const format = formats.get(type);
    if (format === undefined) continue;
    const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const weight = given === undefined ? 1 : Number(given) || 0;
    if (weight > (chosen?.weight ?? 0)) chosen = { format, weight };
  }
  return chosen?.format ?? 'prometheus';
}

const formats: ReadonlyMap<string, MetricFormat> = new Map([
  ['application/openmetrics-text', 'openmetrics'],
  ['text/plain', 'prometheus'],
  ['text/*', 'prometheus'],
  ['*/*', 'prometheus'],
  ['application/json', 'json'],
]);

/** Version 0.0.4. */
export function formatPrometheus(families: readonly MetricFamily[]): string {
  return families.map((family) => block(family, family.name, helpText(family.help, false))).join('');
}

export function formatOpenMetrics(families: readonly MetricFamily[]): string {
  const blocks = families.map((family) => {
    const name = family.type === 'counter' ? family.name.replace(/_total$/, '') : family.name;
    return block(family, name, helpText(family.help, true));
  });
  return `${blocks.join('')}# EOF\n`;
}

function block({ name, type, samples }: MetricFamily, family: string, help: string): string {
  const lines = samples.flatMap((sample) => linesOf(name, sample));
  return [`# HELP ${family} ${help}`, `# TYPE ${family} ${type}`, ...lines, ''].join('\n');
}

function linesOf(name: string, { labels, value = 0, histogram }: MetricSample): readonly string[] {
  if (histogram === undefined) return [`${name}${labelText(labels)} ${numberText(value)}`];
  return bucketLines(name, labels, histogram);
}

function bucketLines(
  name: string,
  labels: MetricLabels,
  { bounds, counts, sum }: HistogramValue,
): readonly string[] {
  let count = 0;
  const buckets = counts.map((one, i) => {
    count += one;
    const le = boundText(bounds[i] ?? Infinity);
    return `${name}_bucket${labelText({ ...labels, le })} ${count}`;
  });
  const text = labelText(labels);
  return [...buckets, `${name}_sum${text} ${numberText(sum)}`, `${name}_count${text} ${count}`];
}

function labelText(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function helpText(help: string, quotes: boolean): string {
  const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return quotes ? text.replaceAll('"', '\\"') : text;
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

/** As OpenMetrics wants a bound: a float in its one form. */
function boundText(bound: number): string {
  const text = numberText(bound);
  return Number.isInteger(bound) && !text.includes('e') ? `${text}.0` : text;
}
