import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { ask, json, order, problem, publish } from './edge-client.ts';

beforeEach(reset);

interface Page {
  readonly events: readonly { readonly id: string }[];
  readonly next: string;
  readonly more: boolean;
}

const at = (minute: number) => `2026-01-31T09:${String(minute).padStart(2, '0')}:00.000Z`;
/** Twelve events that differ in every field that can be asked for. */
const events = Array.from({ length: 12 }, (_, i) => ({
  ...order,
  id: `e-${i}`,
  type: ['order.placed', 'page.viewed', 'order.paid'][i % 3]!,
  source: ['shop', 'till'][i % 2]!,
  subject: `cart-${i % 4}`,
  correlation_id: `visit-${i % 5}`,
  timestamp: at(i),
  data: { total: i * 10 },
}));
const put = (rule: string, body: object) =>
  ask(`/rules/${rule}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const ids = async (query: string) =>
  (await json<Page>(ask(`/events?${query}`))).events.map(({ id }) => id);
const where = (holds: (event: (typeof events)[number], i: number) => boolean) =>
  events.filter(holds).map(({ id }) => id);
const pattern = (given: object) => `pattern=${encodeURIComponent(JSON.stringify(given))}`;
const large = { data: { total: [{ numeric: ['>=', 60] }] } };

describe('GET /events gives what is asked for', () => {
  beforeEach(() => json(publish(events)));

  it.each([
    ['type=order.placed', where(({ type }) => type === 'order.placed')],
    ['type=order.placed&type=order.paid', where(({ type }) => type.startsWith('order.'))],
    ['source=till', where(({ source }) => source === 'till')],
    ['subject=cart-1', where(({ subject }) => subject === 'cart-1')],
    ['correlation_id=visit-2', where((event) => event.correlation_id === 'visit-2')],
    [`from=${at(3)}&to=${at(6)}`, where((_, i) => i >= 3 && i < 6)],
    [pattern(large), where(({ data }) => data.total >= 60)],
    [`source=shop&type=order.placed&${pattern(large)}`, ['e-6']],
    ['direction=backward&limit=3', ['e-11', 'e-10', 'e-9']],
    [`direction=backward&${pattern(large)}&limit=2`, ['e-11', 'e-10']],
    ['type=none', []],
  ])('%s', async (query, expected) => {
    expect(await ids(query)).toEqual(expected);
  });

  it('by pages that fit together, in both directions', async () => {
    for (const direction of ['forward', 'backward']) {
      const seen: string[] = [];
      const bound = direction === 'forward' ? 'after' : 'before';
      for (let query = ''; ;) {
        const page = await json<Page>(
          ask(`/events?source=till&${pattern(large)}&limit=1&direction=${direction}${query}`),
        );
        seen.push(...page.events.map(({ id }) => id));
        if (!page.more) break;
        query = `&${bound}=${page.next}`;
      }
      const expected = where(({ source, data }) => source === 'till' && data.total >= 60);
      expect(seen).toEqual(direction === 'forward' ? expected : expected.toReversed());
    }
  });

  it('looks at a bounded part of the log a page, and says that there is more', async () => {
    for (let i = 0; i < 2; i++)
      await json(publish(Array.from({ length: 6000 }, () => ({ ...order, source: 'till' }))));
    await json(publish({ ...order, id: 'last', source: 'rare' }));
    const first = await json<Page>(ask('/events?source=rare'));
    expect(first).toMatchObject({ events: [], more: true });
    expect(await ids(`source=rare&after=${first.next}`)).toEqual(['last']);
  });

  it.each([
    ['pattern=x', '/pattern'],
    ['pattern={}', '/pattern'],
    ['pattern={"colour":["red"]}', '/pattern'],
    [`pattern=${'x'.repeat(5000)}`, '/pattern'],
    ['direction=up', '/direction'],
    ['direction=backward&after=10', '/after'],
    ['source=a&source=b', '/source'],
    [`from=${at(2)}&to=${at(1)}`, '/to'],
    ['type=', '/type'],
    ['target=', '/target'],
  ])('or names what means nothing: %s', async (query, pointer) => {
    expect(await problem(ask(`/events?${query}`))).toMatchObject({ status: 400, errors: [{ pointer }] });
  });
});

describe('GET /events/{id}', () => {
  it('is kept by its reader, who asks whether it has changed', async () => {
    await json(publish({ ...order, id: 'e-1' }));
    const first = await ask('/events/e-1');
    const etag = first.headers.get('etag')!;
    expect(first.headers.get('cache-control')).toContain('immutable');
    await first.body?.cancel();
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await ask('/events/e-1', { headers: { 'if-none-match': known } });
      expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
    }
    expect((await ask('/events/e-1', { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });
});

describe('rules', () => {
  it('are put, changed, listed and removed', async () => {
    expect((await put('large', { target: 'topic:large', condition: large, priority: 5 })).status).toBe(
      201,
    );
    expect((await put('till', { target: 'topic:till', source: 'till' })).status).toBe(201);
    expect((await put('large', { target: 'topic:large', condition: large })).status).toBe(200);
    const rules = [
      { id: 'large', target: 'topic:large', condition: large },
      { id: 'till', target: 'topic:till', source: 'till' },
    ];
    expect(await json(ask('/rules'))).toEqual({ rules });
    expect(await json(ask('/rules/till'))).toEqual(rules[1]);
    expect((await ask('/rules/till', { method: 'DELETE' })).status).toBe(204);
    expect(await problem(ask('/rules/till'))).toMatchObject({ status: 404 });
    expect((await ask('/rules/till', { method: 'DELETE' })).status).toBe(404);
  });

  it.each([
    [{}, '/target'],
    [{ target: '' }, '/target'],
    [{ target: 't', condition: {} }, ''],
    [{ target: 't', condition: { type: 'x' } }, '/type'],
    [{ target: 't', priority: 'high' }, '/priority'],
    [{ target: 't', source: 7 }, '/source'],
    [[], ''],
    [null, ''],
  ])('such as %j are refused', async (rule, pointer) => {
    const refused = await problem(put('r', rule as object));
    expect(refused).toMatchObject({ status: 400, errors: [{ pointer }] });
    expect(await json(ask('/rules'))).toEqual({ rules: [] });
  });

  it('name what their target gets', async () => {
    await json(publish(events));
    await put('large', { target: 'topic:mine', condition: large });
    await put('till', { target: 'topic:mine', source: 'till' });
    await put('other', { target: 'topic:other' });
    expect(await ids('target=topic:mine')).toEqual(
      where(({ source, data }) => source === 'till' || data.total >= 60),
    );
    expect(await ids('target=topic:other')).toHaveLength(12);
    expect(await ids('target=nobody')).toEqual([]);
  });
});

describe('GET /events/{id}/explain', () => {
  it('says what caused it, what belongs to it, and which rules match or why not', async () => {
    const caused = [0, 1, 2].map((i) => ({
      ...order,
      id: `c-${i}`,
      correlation_id: 'visit',
      data: { total: 30 * i },
      ...(i > 0 && { causation_id: `c-${i - 1}` }),
    }));
    await json(publish([...caused, { ...order, id: 'loop', causation_id: 'loop' }]));
    await put('large', { target: 'topic:large', condition: large });
    await put('till', { target: 'topic:till', source: 'till' });
    expect(await json(ask('/events/c-2/explain'))).toMatchObject({
      event: { id: 'c-2' },
      causes: [{ id: 'c-1' }, { id: 'c-0' }],
      correlated: ['c-0', 'c-1', 'c-2'],
      rules: [
        { id: 'large', target: 'topic:large', matched: true },
        { id: 'till', matched: false, failed: { reason: 'field', path: 'source', actual: ['shop'] } },
      ],
      subscriptions: [],
    });
    expect(await json(ask('/events/loop/explain'))).toMatchObject({ causes: [], correlated: [] });
    expect(await problem(ask('/events/none/explain'))).toMatchObject({ status: 404 });
  });
});

it('GET /metrics counts what the log holds', async () => {
  await json(publish(events));
  const response = await ask('/metrics');
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  expect(text).toContain('# TYPE millrace_log_events gauge\nmillrace_log_events{shard="0"} 12\n');
  expect(
    text
      .split('\n')
      .filter((line) => line !== '' && !/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? \d+(\.\d+)?)$/.test(line)),
  ).toEqual([]);
});
