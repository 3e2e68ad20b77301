/** What the edge counts in memory, and what becomes of it where a report fails, an object ends, or a ledger is old. */
import { describe, expect, it } from 'vitest';
import type { MetricFamily } from '../../src/monitor/metric.ts';
import { attempted, latencyOf, readLedger, writeLedger } from '../../workers/edge/delivery/ledger.ts';
import { writeFact, type SqlDatabase } from '../../workers/edge/delivery/tables.ts';
import { RequestCounts } from '../../workers/edge/metrics/request-counts.ts';
import { ShardMetrics } from '../../workers/edge/metrics/shard-metrics.ts';

const valueOf = (families: readonly MetricFamily[], name: string): number =>
  families
    .filter((family) => family.name === name)
    .flatMap(({ samples }) => samples)
    .reduce(
      (sum, { value, histogram }) => sum + (value ?? histogram!.counts.reduce((a, b) => a + b, 0)),
      0,
    );

describe('an isolate', () => {
  const request = { route: 'GET /events', status: 200, ms: 5 };

  it('reports with the first request after some seconds, each request once', async () => {
    let now = 100_000;
    const counts = new RequestCounts(() => now);
    const told: (readonly MetricFamily[])[] = [];
    const report = async (families: readonly MetricFamily[]) => void told.push(families);
    expect(counts.due('main')).toBe(false);
    counts.count('main', request);
    expect(counts.due('main')).toBe(true);
    await counts.report('main', report);
    await counts.report('main', report);
    counts.count('main', request);
    counts.count('main', { ...request, status: 404 });
    expect([counts.due('main'), counts.due('other')]).toEqual([false, false]);
    now += 5_000;
    expect(counts.due('main')).toBe(true);
    await counts.report('main', report);
    expect(told.map((families) => valueOf(families, 'millrace_http_requests_total'))).toEqual([1, 2]);
    expect(told[1]![0]!.samples.map(({ labels }) => labels)).toEqual([
      { route: 'GET /events', status: '2xx' },
      { route: 'GET /events', status: '4xx' },
    ]);
  });

  it('keeps what it could not report, beside what comes meanwhile, and of each tenant its own', async () => {
    const counts = new RequestCounts(() => 0);
    counts.count('main', request);
    counts.reject('main', 'event.invalid', 3);
    counts.reject('main', 'event.invalid', 0);
    counts.count('shop', request);
    const failing = counts.report('main', async () => {
      counts.count('main', request);
      counts.count('main', { ...request, route: 'GET /metrics' });
      throw new Error('away');
    });
    await expect(failing).rejects.toThrow('away');
    const told: (readonly MetricFamily[])[] = [];
    await counts.report('main', async (families) => void told.push(families));
    expect(valueOf(told[0]!, 'millrace_http_requests_total')).toBe(3);
    expect(valueOf(told[0]!, 'millrace_http_request_seconds')).toBe(3);
    expect(valueOf(told[0]!, 'millrace_events_rejected_total')).toBe(3);
  });

  it('counts no more than a thousand tenants apart for long', () => {
    const counts = new RequestCounts(() => 0);
    for (let i = 0; i <= 1_000; i++) counts.count(`t-${i}`, request);
    expect(counts.due('t-1000')).toBe(true);
  });
});

describe('a shard', () => {
  const now = { events: 2, bytes: 9, segments: 1, head: 5, trimmed: 3 };
  const rest = { waitingRequests: 0, waitingCharacters: 0, refusedRequests: 0, sockets: 0 };
  const archived = { segments: 4, objects: 2, bytes: 99, cachedBytes: 0 };
  const read = (metrics: ShardMetrics) =>
    metrics.read({ ...now, ...rest, rowsWritten: 0, windowsAt: 1, archived });

  it('times requests and transactions, those that fail too', async () => {
    let clock = 0;
    const metrics = new ShardMetrics({ clock: () => clock, now: () => 1_000 });
    const fail = metrics.intake('push', async () => {
      clock += 2_000;
      throw new Error('no');
    });
    await expect(fail).rejects.toThrow('no');
    await metrics.transaction(3, async () => (clock += 10));
    metrics.upkeepFailed();
    const families = read(metrics);
    expect(valueOf(families, 'millrace_intake_seconds')).toBe(1);
    expect(valueOf(families, 'millrace_commits_total')).toBe(3);
    expect(valueOf(families, 'millrace_commit_seconds')).toBe(1);
    expect(valueOf(families, 'millrace_events_accepted_total')).toBe(5);
    expect(valueOf(families, 'millrace_windows_lag_events')).toBe(4);
    expect(valueOf(families, 'millrace_archive_bytes')).toBe(99);
    expect(valueOf(families, 'millrace_upkeep_failures_total')).toBe(1);
  });

  it('knows the producers of five minutes, the latest ten thousand at most', () => {
    let at = 0;
    const metrics = new ShardMetrics({ clock: () => 0, now: () => at });
    const active = () => valueOf(read(metrics), 'millrace_producers_active');
    for (let i = 0; i < 10_050; i++) metrics.pushed(`p-${i}`);
    expect(active()).toBe(10_000);
    at = 200_000;
    metrics.pushed('p-10049');
    at = 300_001;
    expect(active()).toBe(1);
  });

  it('counts a stream until it ends, however often it is told', () => {
    const metrics = new ShardMetrics({ clock: () => 0, now: () => 0 });
    const streams = () => valueOf(read(metrics), 'millrace_live_streams');
    const ends = [metrics.streamOpened(), metrics.streamOpened()];
    ends[0]!();
    ends[0]!();
    expect(streams()).toBe(1);
    ends[1]!();
    expect(streams()).toBe(0);
  });
});

describe('a ledger', () => {
  function tables(): SqlDatabase {
    const facts = new Map<string, string>();
    return {
      exec: (statement, name, value) => {
        if (statement.startsWith('SELECT'))
          return facts.has(name as string) ? [{ value: facts.get(name as string)! }] : [];
        facts.set(name as string, value as string);
        return [];
      },
      transaction: (run) => run(),
    };
  }

  it('that was written before attempts were counted goes on with them', () => {
    const database = tables();
    const { attempts: _, failures: __, latency: ___, ...old } = readLedger(database);
    writeFact(database, 'ledger', { ...old, delivered: 7 });
    writeLedger(database, attempted(readLedger(database), { ok: true, ms: 3 }));
    writeLedger(database, attempted(readLedger(database), { ok: false, ms: 100 }));
    const ledger = readLedger(database);
    expect(ledger).toMatchObject({ delivered: 7, attempts: 2, failures: 1 });
    expect(latencyOf(ledger).sum).toBeCloseTo(0.103);
    expect(latencyOf(ledger).counts.filter((count) => count > 0)).toEqual([1, 1]);
  });
});
