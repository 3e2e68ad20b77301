import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { ask, json, order, problem, publish, pushLines } from './edge-client.ts';

interface Events {
  readonly events: readonly { readonly id: string }[];
  readonly count?: number;
  readonly next?: string;
  readonly head?: string;
  readonly more?: boolean;
}

beforeEach(reset);

const event = (i: number, more: object = {}) => ({
  ...order,
  id: `e-${i}`,
  timestamp: '2026-01-31T09:30:00Z',
  ...more,
});
const ids = ({ events }: Events) => events.map(({ id }) => id);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('GET /events/{id}', () => {
  it('is a problem for an id that is not stored', async () => {
    expect(await problem(ask('/events/none'))).toMatchObject({ status: 404, code: 'request.not-found' });
  });

  it('finds an id with any characters', async () => {
    const id = 'a/b?c=é %2F😀';
    await json(publish(event(0, { id })));
    expect(await json(ask(`/events/${encodeURIComponent(id)}`))).toMatchObject({ id });
  });

  it('gives the event as it was captured, to the byte', async () => {
    const line =
      '{"type":"a.b", "id":"raw", "data":{"b":1.0,"a":2}, "timestamp":"2026-01-31T10:30:00+01:00","source":"s"}';
    await json(pushLines({ producer: 'p', epoch: 1, seq: 1, count: 1, holes: [] }, [line]));
    expect(await (await ask('/events/raw')).text()).toBe(line);
  });
});

describe('GET /events/type/{type}', () => {
  it('gives the latest, newest first', async () => {
    await json(publish([...range(0, 150).map((i) => event(i)), event(150, { type: 'page.viewed' })]));
    const latest = await json<Events>(ask('/events/type/order.placed'));
    expect(ids(latest)).toEqual(
      range(50, 150)
        .toReversed()
        .map((i) => `e-${i}`),
    );
    expect(latest.count).toBe(100);
    expect(ids(await json(ask('/events/type/order.placed?limit=2')))).toEqual(['e-149', 'e-148']);
    const rest = await json<Events>(ask(`/events/type/order.placed?before=${latest.next}&limit=1000`));
    expect(rest).toMatchObject({ count: 50 });
    expect(rest.next).toBeUndefined();
  });

  it('is empty for a type that nobody has used', async () => {
    expect(await json(ask('/events/type/none'))).toEqual({ events: [], count: 0 });
  });
});

describe('GET /events/correlation/{id}', () => {
  it('gives what belongs together, in order, by pages', async () => {
    const all = range(0, 30).map((i) => event(i, { correlation_id: i % 2 === 0 ? 'even' : 'odd' }));
    await json(publish(all));
    expect(ids(await json(ask('/events/correlation/odd')))).toEqual(
      range(0, 15).map((i) => `e-${2 * i + 1}`),
    );
    const first = await json<Events>(ask('/events/correlation/even?limit=10'));
    const second = await json<Events>(ask(`/events/correlation/even?limit=10&after=${first.next}`));
    expect([...ids(first), ...ids(second)]).toEqual(range(0, 15).map((i) => `e-${2 * i}`));
    expect(second).toMatchObject({ count: 5 });
  });
});

describe('GET /events', () => {
  it('gives the whole log by cursor, and waits at its end', async () => {
    await json(publish(range(0, 25).map((i) => event(i))));
    const seen: string[] = [];
    let page = await json<Events>(ask('/events?limit=10'));
    for (seen.push(...ids(page)); page.more; seen.push(...ids(page))) {
      page = await json<Events>(ask(`/events?limit=10&after=${page.next}`));
    }
    expect(seen).toEqual(range(0, 25).map((i) => `e-${i}`));
    expect(page.next).toBe(page.head);
    await json(publish(event(25)));
    expect(ids(await json(ask(`/events?after=${page.next}`)))).toEqual(['e-25']);
  });

  it('bounds a page by what it weighs too, and loses nothing by it', async () => {
    const data = 'x'.repeat(200_000);
    for (const i of range(0, 5)) {
      await json(publish(range(0, 10).map((j) => event(10 * i + j, { data }))));
    }
    const first = await json<Events>(ask('/events?limit=1000'));
    expect(first.events.length).toBeGreaterThan(10);
    expect(first.events.length).toBeLessThan(25);
    expect(first.more).toBe(true);
    const seen = [...ids(first)];
    for (let page = first; page.more; seen.push(...ids(page))) {
      page = await json<Events>(ask(`/events?limit=1000&after=${page.next}`));
    }
    expect(seen).toEqual(range(0, 50).map((i) => `e-${i}`));
    const types: string[] = [];
    for (let next: string | undefined = 'first'; next !== undefined;) {
      const before: string = next === 'first' ? '' : `&before=${next}`;
      const page: Events = await json<Events>(ask(`/events/type/order.placed?limit=1000${before}`));
      types.push(...ids(page));
      next = page.next;
    }
    expect(types).toEqual(seen.toReversed());
  });

  it('refuses a cursor past the head, which is of another log or of a state that was lost', async () => {
    for (const path of ['/events', '/events/correlation/c']) {
      expect(await json(ask(`${path}?after=10`))).toMatchObject({ events: [] });
      const refused = await problem(ask(`${path}?after=11`));
      expect(refused).toMatchObject({ status: 400, code: 'cursor.invalid' });
      expect(refused.detail).toMatch(/^the cursor 11 is past the log's head, 10: .* another log/);
    }
    await json(publish(event(0)));
    expect(await json(ask('/events?after=11'))).toMatchObject({ events: [] });
    // Backwards, it is before anything that there may be: the latest.
    expect(ids(await json(ask('/events/type/order.placed?before=2zz')))).toEqual(['e-0']);
  });

  it('answers HEAD without a body', async () => {
    for (const path of ['/events', '/events/live', '/health']) {
      const response = await ask(path, { method: 'HEAD' });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('');
    }
  });
});

describe('a query that means nothing is refused and named', () => {
  it.each([
    ['/events?limit=0', '/limit'],
    ['/events?limit=1001', '/limit'],
    ['/events?limit=-1', '/limit'],
    ['/events?limit=ten', '/limit'],
    ['/events?limit=1e2', '/limit'],
    ['/events?limit=', '/limit'],
    ['/events?after=nonsense', '/after'],
    ['/events?after=', '/after'],
    ['/events?after=20', '/after'],
    ['/events/type/a.b?limit=1001', '/limit'],
    ['/events/type/a.b?before=x', '/before'],
    ['/events/correlation/c?after=x', '/after'],
    ['/events/live?after=x', '/after'],
    ['/sync/pull?limit=10001', '/limit'],
    ['/sync/pull?after=%00', '/after'],
    ['/sync/head', '/producer'],
    ['/sync/head?producer=', '/producer'],
    [`/sync/head?producer=${'x'.repeat(129)}`, '/producer'],
    ['/events?limit=1&afer=10', '/afer'],
    ['/events?before=10', '/before'],
    ['/events/e-1?limit=1', '/limit'],
    ['/events/live?since=10', '/since'],
    ['/events/type/a.b?after=10', '/after'],
    ['/events/correlation/c?a~/b=1', '/a~0~1b'],
    ['/sync/pull?cursor=10', '/cursor'],
    ['/sync/head?producer=p&epoch=1', '/epoch'],
    ['/windows/events-per-minute?form=2026-01-02T00:00Z', '/form'],
    ['/windows/events-per-minute?from=yesterday', '/from'],
    ['/windows/events-per-minute?to=2026-02-30T00:00:00Z', '/to'],
    ['/windows/events-per-minute?from=2026-01-02T00:00Z&to=2026-01-01T00:00Z', '/to'],
  ])('%s', async (path, pointer) => {
    const body = await problem(ask(path));
    expect(body).toMatchObject({ status: 400, errors: [{ pointer }] });
    expect(body.errors).toHaveLength(1);
    expect(body.detail).toContain(pointer);
    expect(body.detail).not.toContain('stored');
  });
});

describe('an address that there is not', () => {
  it.each([
    '/nothing',
    '/events/type',
    '/sync',
    '/sync/nothing',
    '/windows/none',
    '/events/a/b',
    '//events',
  ])('%s is a problem', async (path) => {
    expect(await problem(ask(path))).toMatchObject({ status: 404 });
  });

  it.each([
    ['DELETE', '/events', 'GET, POST'],
    ['POST', '/events/e-1', 'GET'],
    ['PUT', '/events/live', 'GET'],
    ['GET', '/sync/push', 'POST'],
    ['POST', '/sync/pull', 'GET'],
    ['PATCH', '/windows/events-per-minute', 'GET'],
    ['POST', '/health', 'GET'],
  ])('%s %s names the methods that there are', async (method, path, allow) => {
    const asked = await ask(path, { method });
    for (const name of allow.split(', '))
      expect(asked.headers.get('allow')?.split(', ')).toContain(name);
    expect(await problem(Promise.resolve(asked))).toMatchObject({ status: 405, code: 'request.method' });
  });
});

it('GET /health answers', async () => {
  expect(await json(ask('/health'))).toEqual({ status: 'ok' });
});
