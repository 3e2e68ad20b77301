/** `GET /metrics` against what was sent: exact counts, three formats, and what survives the objects. */
import { describe, expect, it } from 'vitest';
import type { MetricFamily } from '../../src/monitor/metric.ts';
import { ask, bearer, evict, json, post, publish, pushLines } from './edge-client.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { makeEvent } from '../../src/event/event.ts';

const order = (id: string, fields: object = {}) => ({
  ...{ id, type: 'order.placed', source: 'shop', data: { n: 1 }, ...fields },
});

async function read(): Promise<(name: string, labels?: Record<string, string>) => number> {
  const headers = { accept: 'application/json' };
  const { metrics } = await json<{ metrics: readonly MetricFamily[] }>(ask('/metrics', { headers }));
  return (name, labels = {}) => {
    const { samples = [] } = metrics.find((family) => family.name === `millrace_${name}`) ?? {};
    return samples
      .filter((sample) => Object.entries(labels).every(([label, text]) => sample.labels[label] === text))
      .reduce(
        (sum, { value, histogram }) =>
          sum + (histogram?.counts.reduce((a, b) => a + b, 0) ?? value ?? 0),
        0,
      );
  };
}

const line = (id: string) =>
  encodeLine(
    makeEvent({
      ...{ id, type: 'page.viewed', source: 'page', data: {}, priority: 2 },
      timestamp: 1_700_000_000_000,
    }),
  );

describe('GET /metrics', () => {
  it('counts each event that was accepted, known, or refused, once', async () => {
    const before = await read();
    await json(publish([order('a'), order('b'), order('c')]));
    await json(publish([order('a'), order('d')]));
    expect((await publish([order('a', { data: 2 }), order('e')])).status).toBe(409);
    expect((await publish([{ type: 'x' }, order('e'), { type: 'y' }])).status).toBe(400);
    const partly = JSON.stringify([order('a', { data: 2 }), order('f'), { type: 'x' }]);
    await json(post(partly, 'application/json', '/events?partial=true'));
    const header = { producer: 'p-1', epoch: 1, seq: 1, count: 2, holes: [] };
    await json(pushLines(header, [line('g'), line('h')]));
    await json(pushLines(header, [line('g'), line('h')]));
    const after = await read();
    const rise = (name: string, labels?: Record<string, string>) =>
      after(name, labels) - before(name, labels);
    // a b c, d, f, g h.
    expect(rise('events_accepted_total')).toBe(7);
    // a, and g h again.
    expect(rise('events_duplicate_total')).toBe(3);
    expect(rise('events_rejected_total', { code: 'event.conflict' })).toBe(2);
    expect(rise('events_rejected_total', { code: 'event.invalid' })).toBe(3);
    expect(rise('log_events')).toBe(7);
    expect(rise('intake_seconds', { kind: 'publish' })).toBe(4);
    expect(rise('intake_seconds', { kind: 'push' })).toBe(2);
    expect(after('commit_seconds')).toBe(after('commit_group'));
    expect(after('commits_total')).toBeGreaterThanOrEqual(4);
    expect(after('producers_active')).toBe(1);
    expect(after('intake_waiting_requests')).toBe(0);
  });

  it('counts requests by route and class of status, those without a key too', async () => {
    const before = await read();
    for (const id of ['x', 'y', 'z']) await (await ask(`/events/${id}`)).text();
    await (await ask('/events', { headers: { authorization: '' } })).text();
    await (await ask('/nothing/here')).text();
    const after = await read();
    const rise = (labels: Record<string, string>) =>
      after('http_requests_total', labels) - before('http_requests_total', labels);
    expect(rise({ route: 'GET /events/:id', status: '4xx' })).toBe(3);
    expect(rise({ route: 'GET /events', status: '4xx' })).toBe(1);
    expect(rise({ route: 'other', status: '4xx' })).toBe(1);
    expect(rise({ route: 'GET /metrics', status: '2xx' })).toBe(1);
    expect(
      after('http_request_seconds', { route: 'GET /events/:id' }) -
        before('http_request_seconds', { route: 'GET /events/:id' }),
    ).toBe(3);
  });

  it('keeps what was accepted, and requests, over the end of every object', async () => {
    await json(publish([order('k'), order('l')]));
    const before = await read();
    await evict();
    const after = await read();
    expect(after('events_accepted_total')).toBe(before('events_accepted_total'));
    expect(after('http_requests_total', { route: 'POST /events' })).toBe(
      before('http_requests_total', { route: 'POST /events' }),
    );
    expect(after('shard_start_seconds')).toBeGreaterThanOrEqual(before('shard_start_seconds'));
  });

  it('counts live readers while they read', async () => {
    const live = await ask('/events/live');
    const reader = live.body!.getReader();
    await reader.read();
    expect((await read())('live_streams')).toBe(1);
    await reader.cancel();
    let open = 1;
    // The end of a reader comes to the shard by itself, some turns later.
    for (let i = 0; i < 200 && open > 0; i++) open = (await read())('live_streams');
    expect(open).toBe(0);
  });

  it.each([
    [undefined, 'text/plain; version=0.0.4; charset=utf-8'],
    ['application/openmetrics-text', 'application/openmetrics-text; version=1.0.0; charset=utf-8'],
    ['application/json', 'application/json'],
  ])('answers what is asked for with accept %s', async (accept, type) => {
    const response = await ask('/metrics', accept === undefined ? {} : { headers: { accept } });
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const text = await response.text();
    expect(text.endsWith('# EOF\n')).toBe(accept === 'application/openmetrics-text');
  });

  it('is for readers, and tells a tenant of itself alone', async () => {
    const refused = await ask('/metrics', { headers: { authorization: bearer('publish') } });
    expect(refused.status).toBe(403);
    await refused.text();
    await json(publish([order('m')]));
    const headers = { authorization: bearer('stranger') };
    const text = await (await ask('/metrics', { headers })).text();
    expect(text).toContain('millrace_events_accepted_total{shard="0"} 0\n');
    expect(text).not.toContain('POST /events');
  });
});
