import { reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { ask, bearer, evict, json, order, problem, shardStub } from './edge-client.ts';

beforeEach(reset);

interface Page {
  readonly events: { readonly id: string; readonly data: unknown }[];
  readonly next: string;
  readonly head: string;
  readonly more: boolean;
}

const headers = { authorization: bearer('stranger'), 'content-type': 'application/json' };
const of = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    ...order,
    id: `e-${from + i}`,
    data: from + i,
    correlation_id: `visitor-${(from + i) % 7}`,
  }));
const get = <T>(path: string) => json<T>(ask(path, { headers }));
const post = <T>(path: string, body: unknown) =>
  json<T>(ask(path, { method: 'POST', headers, body: JSON.stringify(body) }));
const getMain = <T>(path: string) => json<T>(ask(path));
const postMain = <T>(path: string, body: unknown) =>
  json<T>(ask(path, { method: 'POST', headers: json0, body: JSON.stringify(body) }));
const numbers = (page: Pick<Page, 'events'>) => page.events.map(({ data }) => data as number);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

const json0 = { 'content-type': 'application/json' };

describe('a shard', () => {
  it('does on its alarm what a restart has interrupted, with no request to start it', async () => {
    await json(ask('/events', { method: 'POST', headers: json0, body: JSON.stringify(of(1, 20)) }));
    const stub = shardStub();
    await runInDurableObject(stub, async (_, state) => {
      expect(await state.storage.getAlarm()).not.toBeNull();
    });
    await evict();
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    await runInDurableObject(stub, (_, { storage }) => {
      const [row] = storage.sql.exec(`SELECT seq FROM log_producer WHERE id LIKE 'window/%'`).toArray();
      expect(row?.['seq']).toBe(20);
    });
  });

  it('stores what comes together in few transactions, and answers each', async () => {
    const asked = of(1, 60).map((event) =>
      json<{ event_id: string }>(
        ask('/events', { method: 'POST', headers: json0, body: JSON.stringify(event) }),
      ),
    );
    expect((await Promise.all(asked)).map(({ event_id: id }) => id)).toEqual(
      of(1, 60).map(({ id }) => id),
    );
    const { head } = await json<Page>(ask('/events?limit=1'));
    expect(head).toBe('21o');
  });
});

async function all(path: string, from = ''): Promise<number[]> {
  const read: number[] = [];
  for (let after = from; ;) {
    const page = await get<Page>(`${path}${after && `&after=${after}`}`);
    read.push(...numbers(page));
    if (!page.more) return read;
    after = page.next;
  }
}

/** An isolate remembers what it was told of a tenant: each test that raises its shards has a tenant of its own. */
describe('a log over several shards', () => {
  it('is read as one, before and after its shards were raised and evicted', async () => {
    await post('/events', of(1, 30));
    const before = await get<Page>('/events?limit=10');
    expect(await post('/shards', { shards: 3 })).toEqual({
      epochs: [
        { epoch: 0, shards: 1, sealed: true },
        { epoch: 1, shards: 3, sealed: false },
      ],
    });
    await post('/events', of(31, 60));
    await evict();
    expect((await all('/events?limit=7')).toSorted((a, b) => a - b)).toEqual(upTo(60));
    const rest = await all('/events?limit=100', before.next);
    expect([...numbers(before), ...rest].toSorted((a, b) => a - b)).toEqual(upTo(60));
    expect(await get(`/events/e-12`)).toMatchObject({ data: 12 });
    expect(await get(`/events/e-55`)).toMatchObject({ data: 55 });
    const first = await get<Page>('/events/correlation/visitor-3?limit=1000');
    const second = await get<Page & { next?: string }>(
      `/events/correlation/visitor-3?after=${first.next}`,
    );
    expect([...numbers(first), ...numbers(second)]).toEqual(upTo(60).filter((n) => n % 7 === 3));
    const latest = await get<Page>('/events/type/order.placed?limit=10');
    expect(Math.min(...numbers(latest))).toBeGreaterThan(30);
    const windows = await get<{ value: { count: number } }[]>('/windows/events-per-minute');
    expect(windows.reduce((sum, { value }) => sum + value.count, 0)).toBe(60);
    expect(await post('/events', of(25, 35))).toMatchObject(
      of(25, 35).map(() => ({ status: 'duplicate' })),
    );
  });

  it('follows with its live streams, from before they were raised on', async () => {
    await postMain('/events', of(1, 3));
    const start = await getMain<Page>('/events?limit=1');
    const response = await ask(`/events/live?after=${start.next}`);
    await postMain('/shards', { shards: 4 });
    await postMain('/events', of(4, 20));
    // The shard that is sealed sends what it has, and ends its stream: its reader connects again.
    const text = await readUntil(response, (sent) => sent.includes('"e-3"'));
    const last = text
      .match(/^id: (\w+)$/gm)!
      .at(-1)!
      .slice(4);
    const again = await ask('/events/live', { headers: { 'last-event-id': last } });
    const more = await readUntil(again, (sent) => [...sent.matchAll(/^data: /gm)].length === 17);
    const ids = [...(text + more).matchAll(/"id":"e-(\d+)"/g)].map(([, number]) => Number(number));
    expect(ids.toSorted((a, b) => a - b)).toEqual(upTo(20).slice(1));
  });

  it('is only raised, within its bounds, by an admin', async () => {
    for (const shards of [0, 1, 65, 1.5, '3', null])
      expect(
        await problem(ask('/shards', { method: 'POST', headers, body: JSON.stringify({ shards }) })),
      ).toMatchObject({ status: 400, code: 'query.invalid' });
    const reader = { ...headers, authorization: bearer('read') };
    expect(
      await problem(ask('/shards', { method: 'POST', headers: reader, body: '{"shards":2}' })),
    ).toMatchObject({ status: 403 });
  });
});

async function readUntil(response: Response, enough: (sent: string) => boolean): Promise<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let sent = '';
  while (!enough(sent)) {
    const { value, done } = await reader.read();
    if (done) break;
    sent += value;
  }
  await reader.cancel();
  return sent;
}
