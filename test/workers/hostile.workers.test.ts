/** What a hostile client tries: addresses, headers and bodies that are made to break the edge, or to get around it. */
import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodePush } from '../../src/sync/protocol.ts';
import { Network } from './delivery-network.ts';
import { ask, bearer, json, order, problem, publish } from './edge-client.ts';

beforeEach(reset);

const LONG = 'x'.repeat(3_000);
const typed = { 'content-type': 'application/json' };
const send = (method: string, path: string, body: string) => ask(path, { method, body, headers: typed });

describe('an address that names nothing', () => {
  it.each([
    ['GET', `/events/${LONG}`],
    ['GET', `/events/${LONG}/explain`],
    ['GET', `/events/type/${LONG}`],
    ['GET', `/events/correlation/${LONG}`],
    ['GET', '/events/%ff'],
    ['GET', '/events/%00'],
    ['GET', `/rules/${LONG}`],
    ['DELETE', `/rules/${LONG}`],
    ['DELETE', '/rules/%ff'],
    ['DELETE', `/keys/${LONG}`],
    ['DELETE', '/keys/%00'],
    ['GET', `/subscriptions/${LONG}`],
    ['GET', '/subscriptions/%ff'],
    ['DELETE', `/subscriptions/${LONG}`],
    ['GET', `/sync/producers/${LONG}`],
    ['GET', '/sync/producers/%ff'],
    ['GET', '/events?__proto__=1'],
    ['GET', '/events?type=a&type=b&source=c&source=d'],
    ['GET', '/events?cursor=%ff'],
    ['GET', `/events?after=${LONG}`],
    ['GET', '/events?after=%00'],
  ])('%s %.40s is refused, or empty', async (method, path) => {
    const response = await ask(path, { method });
    await response.body?.cancel();
    expect(response.status).toBeLessThan(500);
  });
});

describe('a body that is made to be dear', () => {
  it.each([
    ['PUT', '/rules/wide', JSON.stringify({ target: 't', source: 'x'.repeat(3_000_000) })],
    [
      'PUT',
      '/rules/deep',
      `{"target":"t","condition":${'{"a":'.repeat(300_000)}1${'}'.repeat(300_000)}}`,
    ],
    [
      'PUT',
      '/rules/many',
      JSON.stringify({ target: 't', condition: { type: Array(200_000).fill('a') } }),
    ],
    ['PUT', '/rules/topic', JSON.stringify({ target: 't'.repeat(3_000_000) })],
    ['POST', '/keys', JSON.stringify({ name: 'n', scopes: Array(1_000_000).fill(1) })],
    ['POST', '/keys', JSON.stringify({ name: 'n', scopes: ['read'], origins: Array(500_000).fill(1) })],
    [
      'POST',
      '/subscriptions',
      JSON.stringify({
        service_name: 's',
        callback_url: 'https://a.bc/',
        event_types: Array(1_000_000).fill(1),
      }),
    ],
    [
      'POST',
      '/subscriptions',
      JSON.stringify({
        service_name: 's',
        callback_url: 'https://a.bc/',
        pattern: { type: Array(200_000).fill('aaaa') },
      }),
    ],
    [
      'POST',
      '/subscriptions',
      JSON.stringify({
        service_name: 's',
        callback_url: 'https://a.bc/',
        pattern: { type: Array.from({ length: 3_000 }, (_, i) => `${i}`.padEnd(1_000, 'x')) },
      }),
    ],
    ['POST', '/subscriptions', `{"pattern":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`],
    [
      'POST',
      `/subscriptions/sub_${'0'.repeat(32)}/dead-letters/redrive`,
      JSON.stringify({ sequences: Array(1_000_000).fill(0) }),
    ],
  ])('%s %s is refused in a few words', async (method, path, body) => {
    const response = await send(method, path, body);
    const text = await response.text();
    expect([response.status, text.slice(0, 300)]).toEqual([
      expect.toSatisfy((status: number) => status >= 400 && status < 500),
      expect.anything(),
    ]);
    expect(text.length).toBeLessThan(200_000);
  });
});

describe('headers', () => {
  it.each([
    { 'ce-specversion': '1.0', 'ce-id': '%E0%A4%A', 'ce-type': '%', 'ce-source': '%ff' },
    { 'ce-specversion': '1.0', 'ce-id': 'a', 'ce-type': 'a.b', 'ce-source': 's', 'ce-time': 'now' },
    { 'ce-specversion': '1.0', 'ce-__proto__': 'a', 'ce-constructor': 'b' },
  ])('%j', async (headers) => {
    const response = await ask('/events', {
      method: 'POST',
      body: '1',
      headers: { ...typed, ...headers },
    });
    expect(response.status).toBeLessThan(500);
  });
});

describe('caches', () => {
  it.each([
    '/events',
    '/subscriptions',
    '/sync/head?producer=p',
    '/sync/producers/p',
    '/rules',
    '/keys',
    '/metrics',
    '/events/type/a',
    '/windows/events-per-minute',
  ])('keep nothing of %s', async (path) => {
    const response = await ask(path);
    await response.body?.cancel();
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
  });

  it('keep an event for its reader alone', async () => {
    await json(publish({ ...order, id: 'e' }));
    const response = await ask('/events/e');
    expect(response.headers.get('cache-control')).toMatch(/^private/);
    expect(response.headers.get('vary')).toMatch(/authorization/i);
  });
});

describe('a query that nobody asked for', () => {
  it.each([
    ['POST', '/subscriptions'],
    ['PATCH', `/subscriptions/sub_${'0'.repeat(32)}`],
    ['DELETE', `/subscriptions/sub_${'0'.repeat(32)}`],
    ['POST', `/subscriptions/sub_${'0'.repeat(32)}/replay`],
    ['DELETE', `/subscriptions/sub_${'0'.repeat(32)}/dead-letters/1`],
    ['POST', '/keys'],
    ['POST', '/sync/push'],
  ])('of %s %s is refused', async (method, path) => {
    const refused = await problem(
      ask(`${path}?colour=red`, { method, headers: typed, ...(method !== 'DELETE' && { body: '{}' }) }),
    );
    expect(refused).toMatchObject({ status: 400, errors: [{ pointer: '/colour' }] });
  });
});

describe('keys that are guessed', () => {
  const guess = (i: number) => `Bearer mr_read_${String(i).padStart(16, '0')}_${'A'.repeat(43)}`;
  const from = (address: string, authorization: string) =>
    ask('/events', { headers: { authorization, 'cf-connecting-ip': address } });

  it('are not all looked up, and keep nobody else out', async () => {
    const answers = await Promise.all(
      Array.from({ length: 150 }, (_, i) => from('2001:db8::' + i, guess(i))),
    );
    const statuses = answers.map(({ status }) => status);
    await Promise.all(answers.map((answer) => answer.body?.cancel()));
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect(answers.at(-1)!.headers.get('retry-after')).toMatch(/^[1-9]/);
    expect((await from('2001:db8::1', bearer('read'))).status).toBe(200);
    expect((await from('198.51.100.9', guess(1_000))).status).toBe(401);
  });
});

describe('somebody else’s endpoint', () => {
  it('is not asked for its consent as often as somebody likes', async () => {
    using network = new Network();
    network.names.set('victim.shop.example.com', '93.184.216.34');
    network.consents = false;
    const fields = { service_name: 's', event_types: ['a.b'] };
    const statuses: number[] = [];
    for (let i = 0; i < 70; i++) {
      const callback_url = `https://victim.shop.example.com/${i}`;
      const answer = await send('POST', '/subscriptions', JSON.stringify({ ...fields, callback_url }));
      statuses.push(answer.status);
      await answer.body?.cancel();
    }
    expect(new Set(statuses)).toEqual(new Set([201, 429]));
    const { subscriptions } = await json<{ subscriptions: object[] }>(ask('/subscriptions'));
    expect(subscriptions).toHaveLength(statuses.filter((status) => status === 201).length);
  });
});

describe('a rule', () => {
  it('feeds no subscription, and says what does', async () => {
    const refused = await problem(send('PUT', '/rules/r', '{"target":"subscription:sub_1"}'));
    expect(refused).toMatchObject({
      status: 400,
      code: 'routing.invalid',
      errors: [{ pointer: '/target' }],
    });
    expect(refused.detail).toContain('event_types or pattern');
  });
});

describe('GET /windows', () => {
  it('lists what can be asked for', async () => {
    const { windows } = await json<{ windows: { path: string }[] }>(ask('/windows'));
    expect(windows).toMatchObject([{ name: 'events-per-minute', size_ms: 60_000, key: 'type' }]);
    for (const { path } of windows) expect(await json(ask(path))).toEqual([]);
  });
});

describe('the limits of a key', () => {
  it.each([
    [11, 'x', 'push.events'],
    [2, 'x'.repeat(1_000), 'body.bytes'],
  ])('hold for a push of %i events too', async (count, data, limit) => {
    const lines = Array.from({ length: count }, (_, i) =>
      JSON.stringify({ id: `${i}`, type: 't', source: 's', data }),
    );
    const refused = await problem(
      ask('/sync/push', {
        method: 'POST',
        body: encodePush({ producer: limit, epoch: 1, seq: 1, count, holes: [], lines }),
        headers: {
          authorization: bearer('limited'),
          'content-type': 'application/x-ndjson',
          'cf-connecting-ip': limit,
        },
      }),
    );
    expect(refused).toMatchObject({ status: 413, details: { limit } });
  });
});
