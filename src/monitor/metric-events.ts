/** Metrics as events: so that what a page or a service counts goes the way of everything else that it says. */
import type { EventFactory, EventOptions } from '../event/factory.ts';
import type { Event } from '../event/event.ts';
import type { Ports, Undo } from '../ports.ts';
import type { MetricFamily } from './metric.ts';
import type { MetricRegistry } from './registry.ts';

export const METRICS_REPORTED = 'metrics.reported';

export interface MetricsReported {
  /** The metrics of one reading may be several events, for a line has a bound. From 1. */
  readonly part: number;
  readonly parts: number;
  readonly metrics: readonly MetricFamily[];
}

/** Characters of the metrics in one event: well below the bound of its line. */
const PART_CHARACTERS = 131_072;

/** The events of one reading, `metrics.reported` each. A metric that is longer than an event may be is cut into some. */
export function metricEvents(
  families: readonly MetricFamily[],
  event: EventFactory<{}>,
  options: EventOptions = {},
): readonly Event<string, MetricsReported>[] {
  const parts = partsOf(families);
  return parts.map((metrics, i) => {
    const data: MetricsReported = { part: i + 1, parts: parts.length, metrics };
    return event(METRICS_REPORTED, data, options) as Event<string, MetricsReported>;
  });
}

export interface ReportMetricsOptions {
  readonly event: EventFactory<{}>;
  /** Such as `(event) => bus.publish(event)`. */
  readonly publish: (event: Event) => unknown;
  readonly ports: Pick<Ports, 'after'>;
  /** Default: 60,000. */
  readonly everyMs?: number | undefined;
  /** Told where a reading or a publish fails; the next one is tried all the same. Default: nobody. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Publishes what the registry says, now and then, until it is undone. */
export function reportMetrics(registry: MetricRegistry, options: ReportMetricsOptions): Undo {
  const { event, publish, ports, everyMs = 60_000, onError } = options;
  let stopped = false;
  let undo: Undo = () => undefined;
  const report = async (): Promise<void> => {
    try {
      const events = metricEvents(await registry.read(), event);
      if (!stopped) for (const one of events) await publish(one);
    } catch (error) {
      onError?.(error);
    }
    if (!stopped) undo = ports.after(everyMs, () => void report());
  };
  undo = ports.after(everyMs, () => void report());
  return () => {
    stopped = true;
    undo();
  };
}

function partsOf(families: readonly MetricFamily[]): readonly (readonly MetricFamily[])[] {
  const parts: MetricFamily[][] = [[]];
  let characters = 0;
  for (const family of families.flatMap(cut)) {
    const { length } = JSON.stringify(family);
    if (characters + length > PART_CHARACTERS && parts.at(-1)!.length > 0) {
      parts.push([]);
      characters = 0;
    }
    parts.at(-1)!.push(family);
    characters += length;
  }
  return parts;
}

function cut(family: MetricFamily): readonly MetricFamily[] {
  const { samples } = family;
  if (samples.length < 2 || JSON.stringify(family).length <= PART_CHARACTERS) return [family];
  const half = samples.length >> 1;
  return [samples.slice(0, half), samples.slice(half)].flatMap((samples) => cut({ ...family, samples }));
}
