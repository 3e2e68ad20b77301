/**
 * Requests, counted in the isolate that answered them, and brought to the tenant's directory, where they are added up:
 * isolates come and go, and nobody can ask all of them. What an isolate has counted goes there with its first request
 * after some seconds, and with every reading of the metrics. So the tail of a burst is missing until its isolate is asked
 * again, and for ever where it is not; a report whose answer is lost is counted twice.
 */
import { Histogram, requestBuckets } from '../../../src/monitor/histogram.ts';
import { MetricBuilder } from '../../../src/monitor/metric-builder.ts';
import type { MetricFamily } from '../../../src/monitor/metric.ts';

/** Tenants that one isolate counts apart at a time. Those beyond it are told to the directory at once. */
const MOST_TENANTS = 1_000;
const REPORT_MS = 5_000;
/** Series of one metric, in the isolate and in the directory. There are some 45 routes. */
export const MOST_SERIES = 500;

const REQUESTS = 'Requests, by route and class of status.';
const SECONDS = 'How long requests took until their answer began.';
const REJECTED = 'Events that were not taken, by the reason’s code.';

interface Counted {
  readonly requests: Map<string, number>;
  readonly seconds: Map<string, Histogram>;
  readonly rejected: Map<string, number>;
}

export interface CountedRequest {
  /** Such as `POST /events`; `other` of what is no route. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

export class RequestCounts {
  readonly #now: () => number;
  readonly #byTenant = new Map<string, Counted>();
  readonly #reportedAt = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  count(tenant: string, { route, status, ms }: CountedRequest): void {
    const counted = this.#of(tenant);
    add(counted.requests, `${Math.floor(status / 100)}xx ${route}`, 1);
    let seconds = counted.seconds.get(route);
    if (seconds === undefined) counted.seconds.set(route, (seconds = new Histogram(requestBuckets)));
    seconds.observe(ms / 1000);
  }

  reject(tenant: string, code: string, events: number): void {
    if (events > 0) add(this.#of(tenant).rejected, code, events);
  }

  /** Whether it is time to tell the directory. */
  due(tenant: string): boolean {
    if (!this.#byTenant.has(tenant)) return false;
    if (this.#byTenant.size > MOST_TENANTS) return true;
    return this.#now() - (this.#reportedAt.get(tenant) ?? 0) >= REPORT_MS;
  }

  /** Brings all that was counted of the tenant to `report`; where that fails, it goes with the next. */
  async report(
    tenant: string,
    report: (families: readonly MetricFamily[]) => Promise<void>,
  ): Promise<void> {
    const counted = this.#byTenant.get(tenant);
    if (counted === undefined) return;
    this.#byTenant.delete(tenant);
    if (this.#reportedAt.size > MOST_TENANTS) this.#reportedAt.clear();
    this.#reportedAt.set(tenant, this.#now());
    try {
      await report(familiesOf(counted));
    } catch (error) {
      const since = this.#byTenant.get(tenant);
      this.#byTenant.set(tenant, since === undefined ? counted : together(counted, since));
      throw error;
    }
  }

  #of(tenant: string): Counted {
    let counted = this.#byTenant.get(tenant);
    if (counted === undefined) {
      counted = { requests: new Map(), seconds: new Map(), rejected: new Map() };
      this.#byTenant.set(tenant, counted);
    }
    return counted;
  }
}

function add(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

function together(counted: Counted, since: Counted): Counted {
  for (const [name, count] of since.requests) add(counted.requests, name, count);
  for (const [code, count] of since.rejected) add(counted.rejected, code, count);
  for (const [route, histogram] of since.seconds) {
    const before = counted.seconds.get(route);
    if (before === undefined) counted.seconds.set(route, histogram);
    else before.add(histogram.read());
  }
  return counted;
}

function familiesOf({ requests, seconds, rejected }: Counted): readonly MetricFamily[] {
  const builder = new MetricBuilder(MOST_SERIES);
  for (const [name, count] of requests) {
    const status = name.slice(0, 3);
    builder.counter('millrace_http_requests_total', REQUESTS, count, { route: name.slice(4), status });
  }
  for (const [route, histogram] of seconds)
    builder.histogram('millrace_http_request_seconds', SECONDS, histogram.read(), { route });
  for (const [code, count] of rejected)
    builder.counter('millrace_events_rejected_total', REJECTED, count, { code });
  return builder.families();
}
