import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { ask, evict, json, order, publish } from './edge-client.ts';

interface Result {
  readonly window: { readonly start: string; readonly end: string };
  readonly key: string;
  readonly value: { readonly count: number };
  readonly revision: number;
}

beforeEach(reset);

const windows = (query = '') => json<Result[]>(ask(`/windows/events-per-minute${query}`));

/** Every minute's count by type, from the events alone. */
function oracle(events: readonly { readonly type: string; readonly timestamp: string }[]) {
  const counts: Record<string, number> = {};
  for (const { type, timestamp } of events) {
    const key = `${timestamp.slice(0, 16)} ${type}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function counted(results: readonly Result[]) {
  return Object.fromEntries(
    results.map(({ window, key, value }) => [`${window.start.slice(0, 16)} ${key}`, value.count]),
  );
}

describe('GET /windows/events-per-minute', () => {
  it('is empty where nothing is', async () => {
    expect(await windows()).toEqual([]);
  });

  it('gives windows in ISO 8601, half open', async () => {
    await json(publish({ ...order, timestamp: '2026-01-31T09:30:59.999Z' }));
    await json(publish({ ...order, timestamp: '1969-12-31T23:59:59.999Z' }));
    const window = { start: '2026-01-31T09:30:00.000Z', end: '2026-01-31T09:31:00.000Z' };
    const before = { start: '1969-12-31T23:59:00.000Z', end: '1970-01-01T00:00:00.000Z' };
    const rest = { key: 'order.placed', value: { count: 1 }, revision: 1 };
    expect(await windows()).toEqual([
      { window: before, ...rest },
      { window, ...rest },
    ]);
    expect(await windows('?from=2026-01-31T09:30:30Z&to=2026-01-31T09:30:31Z')).toEqual([
      { window, ...rest },
    ]);
    expect(await windows('?from=2026-01-31T09:31:00Z')).toEqual([]);
    expect(await windows('?to=1970-01-01T00:00:00Z')).toEqual([{ window: before, ...rest }]);
  });

  it('equals an oracle, in whatever order events come, however late, and across evictions', async () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const start = Date.parse('2026-01-31T00:00:00Z');
    const events = Array.from({ length: 2000 }, (_, i) => ({
      ...order,
      id: `e-${i}`,
      type: ['page.viewed', 'product.added', 'order.placed', '__proto__'][random(4)]!,
      timestamp: new Date(start + random(86_400_000)).toISOString(),
    }));
    for (let at = 0; at < events.length; at += 250) {
      await json(publish([...events.slice(at, at + 250), ...events.slice(Math.max(0, at - 20), at)]));
      if (at % 500 === 0) await evict();
      expect(counted(await windows())).toEqual(oracle(events.slice(0, at + 250)));
    }
    const results = await windows();
    expect(results.length).toBeGreaterThan(1000);
    for (const { value, revision } of results) expect(revision).toBe(value.count);
    const keys = results.map(({ window, key }) => `${window.start} ${key}`);
    expect(keys).toEqual(keys.toSorted());

    const late = { ...order, timestamp: '2025-12-31T12:00:01.000Z' };
    await json(publish([late, late]));
    expect(await windows('?to=2026-01-01T00:00:00Z')).toMatchObject([
      { value: { count: 2 }, revision: 2 },
    ]);
  });

  it('holds as many types as come in one minute', async () => {
    const types = Array.from({ length: 3000 }, (_, i) => `${'t'.repeat(200)}.${i}`);
    const timestamp = '2026-01-31T09:30:00.000Z';
    for (let at = 0; at < types.length; at += 1000) {
      await json(publish(types.slice(at, at + 1000).map((type) => ({ ...order, type, timestamp }))));
    }
    const results = await windows();
    expect(results.map(({ key }) => key)).toEqual(types.toSorted());
  });
});
