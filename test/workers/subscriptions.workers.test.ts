/** The subscriptions' routes: made, shown, changed, deleted, and refused wherever a request is wrong. */
import { reset } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { explainDelivery } from '../../workers/edge/delivery/explain.ts';
import { hostileUrls } from '../unit/delivery-hostile-urls.ts';
import { Network } from './delivery-network.ts';
import { ask, bearer, evict, json, order, post, problem, publish } from './edge-client.ts';

let network: Network;
beforeEach(async () => {
  // Objects that were put out of memory are not forgotten by a reset: they are called back first.
  await Promise.all([ask('/events'), ask('/subscriptions')]);
  await reset();
  network = new Network();
});
afterEach(() => network[Symbol.dispose]());

/** A name that does not exist: nobody is contacted, and the subscription waits for its endpoint's consent. */
const given = {
  service_name: 'invoices',
  event_types: ['order.placed'],
  callback_url: 'https://nobody.shop.example.com/hook',
};

interface Subscription {
  readonly id: string;
  readonly subscription_id: string;
  readonly secret?: string;
  readonly state: string;
  readonly cursors: Readonly<Record<string, string>>;
}

const subscribe = (fields: object = {}) =>
  post(JSON.stringify({ ...given, ...fields }), 'application/json', '/subscriptions');
const send = (method: string, path: string, body: unknown) =>
  ask(path, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });

async function made(fields: object = {}): Promise<Subscription> {
  const response = await subscribe(fields);
  expect(response.status).toBe(201);
  return response.json();
}

/** One whose endpoint consents, and takes what it is given. */
async function delivered(fields: object = {}): Promise<Subscription> {
  network.names.set('shop.example.com', '93.184.216.34');
  const subscription = await made({ callback_url: 'https://shop.example.com/hook', ...fields });
  network.secret = subscription.secret;
  expect(subscription.state).toBe('active');
  return subscription;
}

const show = (id: string) => json<Subscription>(ask(`/subscriptions/${id}`));

describe('POST /subscriptions', () => {
  it('makes one, and shows its secret this once', async () => {
    const response = await subscribe();
    expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const subscription = await response.json<Subscription>();
    expect(response.headers.get('location')).toBe(`/subscriptions/${subscription.id}`);
    expect(subscription).toMatchObject({
      ...given,
      subscription_id: subscription.id,
      state: 'pending',
      sequence: 0,
    });
    expect(subscription.secret).toMatch(/^whsec_[\w+/]{43}=$/);
    const { secret: _, subscription_id: __, ...rest } = subscription;
    expect(await show(subscription.id)).toMatchObject({ ...rest, reason: expect.anything() });
    expect(JSON.stringify(await show(subscription.id))).not.toContain('whsec_');
    expect(await json(ask('/subscriptions'))).toMatchObject({
      subscriptions: [{ id: subscription.id }],
    });
  });

  it('reads from now, from the start, or from a cursor', async () => {
    await json(publish([order, order]));
    const { head } = await json<{ head: string }>(ask('/events'));
    const { next } = await json<{ next: string }>(ask('/events?limit=1'));
    const cursors = [];
    for (const from of [undefined, 'now', 'start', next])
      cursors.push((await made({ from })).cursors['shard-0']);
    expect(cursors).toEqual([head, head, '10', next]);
    expect(await problem(subscribe({ from: '1z' }))).toMatchObject({
      status: 400,
      code: 'cursor.invalid',
    });
  });

  it('says in a dry run what would match, and makes nothing', async () => {
    const events = Array.from({ length: 30 }, (_, i) => ({
      ...order,
      id: `e-${i}`,
      data: { total: i },
    }));
    await json(publish([...events, { ...order, type: 'page.viewed', data: null }]));
    const run = (fields: object) =>
      json<{ samples: { id: string }[] }>(subscribe({ dry_run: true, ...fields }));
    const byType = await run({});
    expect(byType).toMatchObject({ dry_run: true, matched: 30, scanned: 30, complete: true });
    expect(byType.samples.map(({ id }) => id)).toEqual(events.slice(0, 10).map(({ id }) => id));
    const pattern = { data: { total: [{ numeric: ['>=', 28] }] } };
    expect(await run({ event_types: undefined, pattern })).toMatchObject({ matched: 2, scanned: 31 });
    const { next } = await json<{ next: string }>(ask('/events?limit=29'));
    expect(await run({ from: next })).toMatchObject({ matched: 1 });
    expect(await run({ from: 'now' })).toMatchObject({ matched: 0, samples: [] });
    expect(await json(ask('/subscriptions'))).toEqual({ subscriptions: [] });
  });

  it('refuses each of 500 and more hostile callbacks, and points to it', async () => {
    for (const callback_url of hostileUrls) {
      const refused = await problem(subscribe({ callback_url }));
      expect([callback_url, refused.status, refused.errors?.[0]?.pointer]).toEqual([
        callback_url,
        400,
        '/callback_url',
      ]);
    }
    expect(await json(ask('/subscriptions'))).toEqual({ subscriptions: [] });
  });

  it('refuses a name that leads to a private address', async () => {
    network.names.set('rebound.example.com', '169.254.169.254');
    const refused = await problem(subscribe({ callback_url: 'https://rebound.example.com/' }));
    expect(refused.errors).toEqual([
      { pointer: '/callback_url', detail: 'must not lead to 169.254.169.254, which is not public' },
    ]);
  });

  it.each<[object | string, string]>([
    [{ service_name: undefined }, '/service_name'],
    [{ service_name: '' }, '/service_name'],
    [{ service_name: 'x'.repeat(257) }, '/service_name'],
    [{ service_name: 'a\u0000' }, '/service_name'],
    [{ service_name: 7 }, '/service_name'],
    [{ event_types: undefined }, '/event_types'],
    [{ event_types: [] }, '/event_types'],
    [{ event_types: 'order.placed' }, '/event_types'],
    [{ event_types: [''] }, '/event_types/0'],
    [{ event_types: ['a', null] }, '/event_types/1'],
    [{ event_types: Array(101).fill('a') }, '/event_types'],
    [{ pattern: { type: ['a'] } }, '/event_types'],
    [{ event_types: undefined, pattern: {} }, '/pattern'],
    [{ event_types: undefined, pattern: 'x' }, '/pattern'],
    [{ event_types: undefined, pattern: { nope: ['x'] } }, '/pattern/nope'],
    [
      { event_types: undefined, pattern: { data: { total: [{ numeric: ['>', 'x'] }] } } },
      '/pattern/data/total/0',
    ],
    [{ callback_url: undefined }, '/callback_url'],
    [{ callback_url: 'x' }, '/callback_url'],
    [{ callback_url: ['https://a.example.com'] }, '/callback_url'],
    [{ from: 'yesterday' }, '/from'],
    [{ from: 5 }, '/from'],
    [{ dry_run: 'yes' }, '/dry_run'],
    [{ format: 'xml' }, '/format'],
    [{ batch: 0 }, '/batch'],
    [{ batch: 101 }, '/batch'],
    [{ batch: 1.5 }, '/batch'],
    [{ concurrency: 7 }, '/concurrency'],
    [{ timeout_ms: 30_001 }, '/timeout_ms'],
    [{ retry_for_ms: 259_200_001 }, '/retry_for_ms'],
    [{ retry_for_ms: -1 }, '/retry_for_ms'],
    [{ secret: 'mine' }, ''],
    ['[]', ''],
    ['null', ''],
  ])('refuses %j', async (wrong, pointer) => {
    const asked =
      typeof wrong === 'string' ? send('POST', '/subscriptions', JSON.parse(wrong)) : subscribe(wrong);
    const refused = await problem(asked);
    expect(refused).toMatchObject({ status: 400, code: 'subscription.invalid' });
    const [first] = refused.errors!;
    expect(first?.pointer.startsWith(pointer)).toBe(true);
    expect(first?.detail).not.toBe('');
  });

  it('refuses what is no JSON, or no body for it', async () => {
    expect(await problem(post('{', 'application/json', '/subscriptions'))).toMatchObject({
      code: 'request.malformed',
    });
    expect(await problem(post('{}', 'text/plain', '/subscriptions'))).toMatchObject({ status: 415 });
    expect(await problem(ask('/subscriptions', { method: 'PUT' }))).toMatchObject({ status: 405 });
  });
});

describe('a subscription', () => {
  it('is paused, goes on, gets another URL and another secret, and survives its eviction', async () => {
    const { id, secret } = await made();
    const change = (body: object) => json<Subscription>(send('PATCH', `/subscriptions/${id}`, body));
    expect(await change({ state: 'paused' })).toMatchObject({ state: 'paused' });
    await evict();
    expect(await show(id)).toMatchObject({ state: 'paused' });
    expect(await change({ state: 'active' })).toMatchObject({ state: 'pending' });
    const callback_url = 'https://nobody.shop.example.org/hook';
    const changed = await change({ callback_url, rotate_secret: true });
    expect(changed).toMatchObject({ callback_url });
    expect(changed.secret).toMatch(/^whsec_/);
    expect(changed.secret).not.toBe(secret);
    await evict();
    expect(await show(id)).toMatchObject({ callback_url, state: 'pending' });
    await change({ rotate_secret: true });
    expect(await problem(send('PATCH', `/subscriptions/${id}`, { rotate_secret: true }))).toMatchObject({
      code: 'limit.exceeded',
    });
  });

  it('refuses changes that are wrong, whole', async () => {
    const { id } = await made();
    for (const wrong of [
      {},
      { state: 'gone' },
      { state: 'paused', callback_url: 'https://10.0.0.1/' },
      { id: 'x' },
    ])
      expect(await problem(send('PATCH', `/subscriptions/${id}`, wrong))).toMatchObject({ status: 400 });
    expect(await show(id)).toMatchObject({ state: 'pending', callback_url: given.callback_url });
  });

  it('is deleted with all that it has', async () => {
    const { id } = await made();
    expect((await ask(`/subscriptions/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await json(ask('/subscriptions'))).toEqual({ subscriptions: [] });
    const paths = ['', '/deliveries', '/dead-letters', '/deliveries/1'];
    for (const path of paths)
      expect(await problem(ask(`/subscriptions/${id}${path}`))).toMatchObject({
        code: 'subscription.unknown',
        status: 404,
      });
    expect(await problem(ask(`/subscriptions/${id}`, { method: 'DELETE' }))).toMatchObject({
      status: 404,
    });
    await json(publish(order));
  });

  it('that is unknown answers 404, whatever is asked of it', async () => {
    const unknown = { status: 404, code: 'subscription.unknown' };
    for (const id of ['sub_none', 'x'.repeat(600), '%F0%9F%98%80', '..%2f..'])
      expect(await problem(ask(`/subscriptions/${id}`))).toMatchObject({ status: 404 });
    expect(await problem(send('PATCH', '/subscriptions/none', { state: 'paused' }))).toMatchObject(
      unknown,
    );
    expect(await problem(send('POST', '/subscriptions/none/replay', { from: 'start' }))).toMatchObject(
      unknown,
    );
    expect(await problem(send('POST', '/subscriptions/none/dead-letters/redrive', {}))).toMatchObject(
      unknown,
    );
    expect(await problem(ask('/subscriptions/none/dead-letters/1', { method: 'DELETE' }))).toMatchObject(
      unknown,
    );
  });

  it('answers wrong questions with what is wrong', async () => {
    const { id } = await made();
    const path = `/subscriptions/${id}`;
    const wrong = { status: 400 };
    for (const query of ['limit=0', 'limit=x', 'limit=1001', 'status=lost', 'before=-1', 'after=1'])
      expect(await problem(ask(`${path}/deliveries?${query}`))).toMatchObject(wrong);
    expect(await problem(ask(`${path}/deliveries/x`))).toMatchObject(wrong);
    expect(await problem(ask(`${path}/deliveries/9`))).toMatchObject({
      status: 404,
      code: 'delivery.unknown',
    });
    expect(await problem(ask(`${path}/dead-letters/9`, { method: 'DELETE' }))).toMatchObject({
      code: 'delivery.unknown',
    });
    for (const body of [{ sequences: [] }, { sequences: [0] }, { sequences: 'all' }, { all: true }])
      expect(await problem(send('POST', `${path}/dead-letters/redrive`, body))).toMatchObject(wrong);
    expect(
      await problem(send('POST', `${path}/dead-letters/redrive`, { sequences: [7] })),
    ).toMatchObject({ status: 404 });
    for (const body of [
      {},
      { from: 'x' },
      { from: 'start', to: 'x' },
      { from: 'start', to: 'start' },
      { from: '1z' },
    ])
      expect(await problem(send('POST', `${path}/replay`, body))).toMatchObject(wrong);
  });
});

describe('deliveries in workerd', () => {
  const numbered = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
  const events = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      ...order,
      id: `e-${from + i}`,
      subject: `cart-${(from + i) % 4}`,
    }));
  const sequences = () => network.taken.map(({ sequence }) => sequence);
  const wait = { timeout: 15_000, interval: 20 };

  it('reach the endpoint by the shard’s hint, signed, and are listed', async () => {
    const { id } = await delivered();
    await json(publish(events(1, 20)));
    await vi.waitFor(() => expect(network.taken).toHaveLength(20), wait);
    expect(network.forged).toEqual([]);
    expect(new Set(sequences())).toEqual(new Set(numbered(20)));
    await vi.waitFor(async () => expect(await show(id)).toMatchObject({ delivered: 20 }), wait);
    const { deliveries } = await json<{ deliveries: object[] }>(
      ask(`/subscriptions/${id}/deliveries?limit=5`),
    );
    expect(deliveries).toHaveLength(5);
    expect(deliveries[0]).toMatchObject({
      sequence: 20,
      status: 'delivered',
      webhook_id: `${id}_20`,
      attempts: 1,
    });
    expect(await json(ask(`/subscriptions/${id}/deliveries/1`))).toMatchObject({ event_ids: ['e-1'] });
    const rest = await json<{ deliveries: { sequence: number }[] }>(
      ask(`/subscriptions/${id}/deliveries?before=3`),
    );
    expect(rest.deliveries.map(({ sequence }) => sequence)).toEqual([2, 1]);
  });

  it('lose and repeat nothing across evictions, but under the same id', async () => {
    await delivered();
    for (let round = 0; round < 6; round++) {
      await json(publish(events(round * 10, 10)));
      await vi.waitFor(() => expect(network.taken.length).toBeGreaterThan(round * 10), wait);
      await evict();
    }
    await vi.waitFor(() => expect(new Set(sequences()).size).toBe(60), wait);
    const first = new Map(network.taken.toReversed().map(({ sequence, body }) => [sequence, body]));
    for (const { sequence, body } of network.taken) expect(body).toBe(first.get(sequence));
    const ids = [...first.values()].map((body) => (JSON.parse(body) as { id: string }).id);
    expect(ids.toSorted()).toEqual(
      events(0, 60)
        .map(({ id }) => id)
        .toSorted(),
    );
  });

  it('that were refused are dead letters: listed, driven again, dropped', async () => {
    network.answer = () => 422;
    const { id } = await delivered({ retry_for_ms: 0 });
    await json(publish(events(1, 3)));
    await vi.waitFor(async () => expect(await show(id)).toMatchObject({ dead_letters: 3 }), wait);
    const { dead_letters: dead } = await json<{ dead_letters: object[] }>(
      ask(`/subscriptions/${id}/dead-letters`),
    );
    expect(dead).toMatchObject([
      { sequence: 3 },
      { sequence: 2 },
      {
        ...{ sequence: 1, trail: [{ status: 422 }] },
        ...{ id: '1', part: 'subscription', name: id, attempts: 1 },
        reason: { code: 'delivery.failed', details: { subscription: id, status: 422 } },
        first_at: expect.stringMatching(/^\d{4}-.*Z$/),
        last_at: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ]);
    expect((await ask(`/subscriptions/${id}/dead-letters/2`, { method: 'DELETE' })).status).toBe(204);
    network.answer = () => 204;
    network.taken.length = 0;
    const redrive = (body: object) =>
      json(send('POST', `/subscriptions/${id}/dead-letters/redrive`, body));
    expect(await redrive({ sequences: [3] })).toEqual({ redriven: 1, more: false });
    expect(await redrive({})).toEqual({ redriven: 1, more: false });
    await vi.waitFor(() => expect(new Set(sequences())).toEqual(new Set([1, 3])), wait);
    await vi.waitFor(
      async () => expect(await show(id)).toMatchObject({ dead_letters: 0, dropped: 1, delivered: 2 }),
      wait,
    );
  });

  it('are read again over a range, as a replay', async () => {
    const { id } = await delivered();
    await json(publish(events(1, 5)));
    await vi.waitFor(() => expect(network.taken).toHaveLength(5), wait);
    const { next } = await json<{ next: string }>(ask('/events?limit=2'));
    const answer = await send('POST', `/subscriptions/${id}/replay`, { from: next });
    expect([answer.status, await answer.json()]).toEqual([202, { replays: ['replay-1'] }]);
    await vi.waitFor(() => expect(network.taken).toHaveLength(8), wait);
    expect(new Set(sequences())).toEqual(new Set(numbered(8)));
  });

  it('are explained, event by event', async () => {
    const { id } = await delivered();
    const { id: other } = await made({ event_types: ['page.viewed'] });
    await json(publish(events(1, 1)));
    await vi.waitFor(async () => expect(await show(id)).toMatchObject({ delivered: 1 }), wait);
    const line = JSON.stringify(await json(ask('/events/e-1')));
    expect(await explainDelivery(env as never, line, 'main')).toMatchObject([
      {
        subscription: id,
        matched: true,
        deliveries: [{ sequence: 1, status: 'delivered', trail: [{ status: 204 }] }],
      },
      {
        subscription: other,
        matched: false,
        failed: { reason: 'field', path: 'type', actual: ['order.placed'] },
        deliveries: [],
      },
    ]);
  });

  it('are of one tenant’s events alone, and another tenant knows nothing of it', async () => {
    const { id } = await delivered();
    const headers = { authorization: bearer('stranger'), 'content-type': 'application/json' };
    const asStranger = (method: string, path: string, body?: unknown) =>
      ask(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
    for (const name of [id, `main%2F${id}`])
      expect((await asStranger('GET', `/subscriptions/${name}`)).status).toBe(404);
    expect((await asStranger('PATCH', `/subscriptions/${id}`, { state: 'paused' })).status).toBe(404);
    expect((await asStranger('DELETE', `/subscriptions/${id}`)).status).toBe(404);
    network.names.set('other.example.com', '93.184.216.34');
    const fields = { ...given, from: 'start', callback_url: 'https://other.example.com/hook' };
    const response = await asStranger('POST', '/subscriptions', fields);
    const other = await response.json<Required<Subscription>>();
    expect(await json(asStranger('GET', '/subscriptions'))).toMatchObject({
      subscriptions: [{ id: other.id }],
    });
    await json(publish(events(1, 3)));
    await vi.waitFor(() => expect(network.taken).toHaveLength(3), wait);
    network.secret = other.secret;
    network.taken.length = 0;
    await json(asStranger('POST', '/events', events(100, 2)));
    await vi.waitFor(() => expect(network.taken).toHaveLength(2), wait);
    expect(network.taken.map(({ id: webhook }) => webhook)).toEqual([`${other.id}_1`, `${other.id}_2`]);
    expect(await show(id)).toMatchObject({ sequence: 3, delivered: 3 });
  });

  it('wait for the consent, which a hint does not replace', async () => {
    network.consents = false;
    network.names.set('shop.example.com', '93.184.216.34');
    const subscription = await made({ callback_url: 'https://shop.example.com/hook', from: 'start' });
    network.secret = subscription.secret;
    await json(publish(events(1, 2)));
    expect(await show(subscription.id)).toMatchObject({ state: 'pending', sequence: 0 });
    network.consents = true;
    await vi.waitFor(() => expect(new Set(sequences())).toEqual(new Set([1, 2])), wait);
  });
});
