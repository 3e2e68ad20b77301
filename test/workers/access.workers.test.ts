import { reset } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it } from 'vitest';
import { accessTable, accessTo, scopes, type Scope } from '../../workers/edge/access/access-table.ts';
import { hashKey, type KeyRecord } from '../../workers/edge/access/api-key.ts';
import { createLiveToken, TOKEN_MS } from '../../workers/edge/access/live-token.ts';
import { testKeys } from '../test-key-names.ts';
import { ask, bearer, json, order, problem, publish, pushLines } from './edge-client.ts';

beforeEach(reset);

const keyOf: Readonly<Record<Scope, keyof typeof testKeys>> = {
  publish: 'publish',
  read: 'read',
  metrics: 'metrics',
  admin: 'admin',
};

/** Asks a route as who has the key; what is asked for need not make sense. */
async function statusOf(route: string, authorization: string): Promise<number> {
  const [method, path] = route.split(' ') as [string, string];
  const body = method === 'GET' || method === 'DELETE' ? {} : { body: '{}' };
  const response = await ask(path.replaceAll(/:\w+/g, 'some'), {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...body,
  });
  await response.body?.cancel();
  return response.status;
}

function said(status: number): string {
  if (status === 401) return 'unknown';
  return status === 403 ? 'refused' : 'allowed';
}

it('knows a key by its whole text, also where its id was seen with the right one before', async () => {
  const asked = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const made = await ask('/keys', { ...asked, body: '{"name":"till","scopes":["read"]}' });
  const { key: right } = await made.json<{ key: string }>();
  const wrong = right.slice(0, -1) + (right.endsWith('A') ? 'B' : 'A');
  const status = (key: string) => statusOf('GET /events', `Bearer ${key}`);
  for (const [key, expected] of [
    [wrong, 401],
    [right, 200],
    [wrong, 401],
    [right, 200],
    [wrong, 401],
  ] as const)
    expect(await status(key)).toBe(expected);
});

describe('every route, with every scope', async () => {
  const { app } = await import('../../workers/edge/app.ts');
  const served = app.routes.filter(({ method }) => method !== 'ALL');
  const routes = [...new Set(served.map(({ method, path }) => `${method} ${path}`))];

  it('is in the table, or for admins alone', () => {
    expect(Object.keys(accessTable).filter((route) => !routes.includes(route))).toEqual([]);
    expect(accessTo('GET /what-comes-next')).toEqual(['admin']);
  });

  it.each(routes)('%s answers as the table says', async (route) => {
    const access = accessTo(route);
    const open = access === 'anyone';
    for (const scope of scopes) {
      const status = await statusOf(route, bearer(keyOf[scope]));
      expect([scope, said(status)]).toEqual([
        scope,
        open || access.includes(scope) ? 'allowed' : 'refused',
      ]);
    }
    for (const authorization of ['', 'Bearer mr_admin_0000000000000001_tesu', 'Basic YTpi']) {
      const status = await statusOf(route, authorization);
      expect(said(status)).toBe(open ? 'allowed' : 'unknown');
    }
  });
});

describe('a key', () => {
  it('that is missing, unknown or not enough is refused with what to do', async () => {
    const missing = await problem(ask('/events', { headers: { authorization: '' } }));
    expect(missing).toMatchObject({ status: 401, code: 'access.missing' });
    expect(missing.detail).toContain('authorization: Bearer');
    const unknown = await ask('/events', { headers: { authorization: 'Bearer nothing' } });
    expect(unknown.headers.get('www-authenticate')).toContain('invalid_token');
    expect(await problem(Promise.resolve(unknown))).toMatchObject({ code: 'access.unknown' });
    const refused = await problem(ask('/events', { headers: { authorization: bearer('publish') } }));
    expect(refused).toMatchObject({ status: 403, code: 'access.refused' });
    expect(refused.detail).toContain('read or admin');
  });

  it('opens its own tenant’s logs and no other', async () => {
    await json(publish({ ...order, id: 'mine' }));
    const headers = { authorization: bearer('stranger') };
    expect(await json(ask('/events', { headers }))).toMatchObject({ events: [] });
    expect(await problem(ask('/events/mine', { headers }))).toMatchObject({ status: 404 });
    expect(
      await json(
        ask('/sync/pull', { headers }).then((response) =>
          response.text().then((text) => new Response(text.split('\n')[0])),
        ),
      ),
    ).toMatchObject({ head: '10' });
    await json(
      ask('/rules/large', {
        method: 'PUT',
        headers: { ...headers, 'content-type': 'application/json' },
        body: '{"target":"t"}',
      }).then(ok),
    );
    expect(await json(ask('/rules'))).toEqual({ rules: [] });
    expect(await json(ask('/keys', { headers }))).toEqual({ keys: [] });
    const subscription = {
      service_name: 'mine',
      event_types: ['order.placed'],
      callback_url: 'https://nobody.shop.example.com/hook',
    };
    const subscribed = await ask('/subscriptions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(subscription),
    });
    const { id } = await subscribed.json<{ id: string }>();
    expect(await json(ask(`/subscriptions/${id}`))).toMatchObject(subscription);
    expect(await json(ask('/subscriptions', { headers }))).toEqual({ subscriptions: [] });
    expect(await problem(ask(`/subscriptions/${id}`, { headers }))).toMatchObject({ status: 404 });
  });

  it('is made, shown once, used and revoked', async () => {
    const asked = { name: 'till', scopes: ['publish'], origins: ['https://till.example'] };
    const made = await ask('/keys', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(asked),
    });
    expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const { key, id } = await made.json<{ key: string; id: string }>();
    expect(key).toMatch(/^mr_pub_[0-9a-f]{16}_[\w-]{43}$/);
    const listed = await json<{ keys: object[] }>(ask('/keys'));
    expect(listed.keys).toMatchObject([{ id, ...asked, tenant: 'main' }]);
    expect(JSON.stringify(listed)).not.toMatch(/hash|mr_pub/);
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const publishing = () => ask('/events', { method: 'POST', headers, body: JSON.stringify(order) });
    expect((await publishing()).status).toBe(200);
    expect(
      (await ask(`/keys/${id}`, { method: 'DELETE', headers: { authorization: bearer('stranger') } }))
        .status,
    ).toBe(404);
    expect((await ask(`/keys/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await publishing()).status).toBe(401);
    expect((await ask(`/keys/${id}`, { method: 'DELETE' })).status).toBe(404);
  });

  it.each([
    [{}, '/name'],
    [{ name: '', scopes: ['read'] }, '/name'],
    [{ name: 'n', scopes: [] }, '/scopes'],
    [{ name: 'n', scopes: ['root'] }, '/scopes/0'],
    [{ name: 'n', scopes: ['read'], origins: ['shop.example'] }, '/origins/0'],
    [{ name: 'n', scopes: ['read'], limits: { burst: 0 } }, '/limits/burst'],
    [{ name: 'n', scopes: ['read'], tenant: 'stranger' }, '/tenant'],
  ])('is not made of %j', async (asked, pointer) => {
    const headers = { 'content-type': 'application/json' };
    const refused = await problem(
      ask('/keys', { method: 'POST', headers, body: JSON.stringify(asked) }),
    );
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.errors?.map((error) => error.pointer)).toContain(pointer);
    expect(await json(ask('/keys'))).toEqual({ keys: [] });
  });

  it('is used by the pages of its origins alone', async () => {
    const headers = { authorization: bearer('site'), 'content-type': 'application/json' };
    const from = (origin: string) =>
      ask('/events', { method: 'POST', headers: { ...headers, origin }, body: JSON.stringify(order) });
    const own = await from('https://shop.example');
    expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([
      200,
      'https://shop.example',
    ]);
    expect(await problem(from('https://thief.example'))).toMatchObject({
      status: 403,
      code: 'access.origin',
    });
    expect((await ask('/events', { method: 'POST', headers, body: JSON.stringify(order) })).status).toBe(
      200,
    );
  });

  it('has its own bounds of bytes and events', async () => {
    const send = (events: unknown) =>
      ask('/events', {
        method: 'POST',
        headers: { authorization: bearer('limited'), 'content-type': 'application/json' },
        body: JSON.stringify(events),
      });
    expect(await problem(send({ ...order, data: 'x'.repeat(1000) }))).toMatchObject({
      status: 413,
      details: { limit: 'body.bytes', maximum: 1000 },
    });
    expect(
      await problem(send(Array.from({ length: 11 }, () => ({ type: 'a.b', data: 1, source: 's' })))),
    ).toMatchObject({
      status: 413,
      details: { limit: 'request.events', maximum: 10 },
    });
  });

  it('may ask so often, and is told how often that is', async () => {
    const headers = { authorization: bearer('limited'), 'cf-connecting-ip': '192.0.2.1' };
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await ask('/sync/head?producer=p', { headers }));
    const limited = answers.find(({ status }) => status === 429)!;
    expect(answers[0]!.headers.get('ratelimit-policy')).toBe('"key";q=2;w=2');
    expect(answers[0]!.headers.get('ratelimit')).toMatch(/^"key";r=\d;t=\d$/);
    expect(limited.headers.get('retry-after')).toBe('1');
    expect(await problem(Promise.resolve(limited))).toMatchObject({ code: 'access.limited' });
    const elsewhere = { ...headers, 'cf-connecting-ip': '192.0.2.2' };
    expect((await ask('/sync/head?producer=p', { headers: elsewhere })).status).toBe(200);
  });

  it('stands in an address only where it is publishable', async () => {
    const keyed = (key: string, path = '/events') =>
      ask(`${path}?key=${key}`, {
        method: 'POST',
        headers: { authorization: '', 'content-type': 'application/json' },
        body: JSON.stringify(order),
      });
    expect((await keyed(testKeys.publish)).status).toBe(200);
    expect((await keyed(testKeys.admin)).status).toBe(401);
    const read = await ask(`/events?key=${testKeys.read}`, { headers: { authorization: '' } });
    expect(read.status).toBe(401);
    await json(pushLines({ producer: 'p', epoch: 1, seq: 1, count: 1, holes: [1] }, []));
  });
});

describe('a live token', async () => {
  const record: KeyRecord = {
    id: 'configured:read',
    name: 'read',
    hash: await hashKey(testKeys.read),
    scopes: ['read'],
    tenant: 'main',
  };
  const open = (token: string, path = '/events/live') =>
    ask(`${path}?token=${token}`, { headers: { authorization: '' } });

  it('opens the live stream of its key, and nothing else', async () => {
    const made = await ask('/live-tokens', {
      method: 'POST',
      headers: { authorization: bearer('read') },
    });
    const { token, expires_at } = await made.json<{ token: string; expires_at: string }>();
    expect(Math.abs(Date.parse(expires_at) - Date.now() - TOKEN_MS)).toBeLessThan(10_000);
    const live = await open(token);
    expect(live.status).toBe(200);
    await live.body?.cancel();
    expect((await open(token, '/events')).status).toBe(401);
    expect((await open(token, '/metrics')).status).toBe(401);
  });

  it('that has expired, or was changed, opens nothing', async () => {
    const { token } = await createLiveToken(record, Date.now());
    const works = await open(token);
    expect(works.status).toBe(200);
    await works.body?.cancel();
    const old = await createLiveToken(record, Date.now() - TOKEN_MS - 1);
    expect((await open(old.token)).status).toBe(401);
    const [body, signature] = token.split('.') as [string, string];
    const longer = btoa(JSON.stringify({ key: 'configured:read', until: Date.now() * 2 }));
    const other = await createLiveToken({ ...record, hash: '0'.repeat(64) }, Date.now());
    for (const forged of [
      `${longer}.${signature}`,
      `${body}.`,
      body,
      `${body}.${signature}x`,
      '',
      '.',
      other.token,
    ])
      expect((await open(forged)).status).toBe(401);
  });
});

it('a deployment without keys refuses all but its description', async () => {
  const { app } = await import('../../workers/edge/app.ts');
  const bare = { ...(env as object), MILLRACE_KEYS: '' };
  for (const [path, status] of [
    ['/health', 200],
    ['/openapi.json', 200],
    ['/docs', 200],
    ['/events', 401],
    ['/metrics', 401],
  ] as const)
    expect((await app.request(path, {}, bare)).status).toBe(status);
  const headers = { authorization: bearer('admin') };
  const refused = await problem(Promise.resolve(app.request('/events', { headers }, bare)));
  expect(refused).toMatchObject({ status: 401, code: 'access.unconfigured' });
  expect(refused.detail).toContain('npm run key');
  for (const broken of ['admin:xyz:admin', '[', '[{}]', 'admin'])
    expect(
      await problem(
        Promise.resolve(app.request('/events', { headers }, { ...bare, MILLRACE_KEYS: broken })),
      ),
    ).toMatchObject({ status: 401, code: 'access.unconfigured' });
});

function ok(response: Response): Response {
  expect(response.ok).toBe(true);
  return new Response(response.body);
}
