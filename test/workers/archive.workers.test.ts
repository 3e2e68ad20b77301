/** Segments in R2, as workerd has it: the laws of storage with everything there, and a shard whose old events are. */
import { env } from 'cloudflare:workers';
import { reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { beforeEach, describe, expect, it, test, vi } from 'vitest';
import { hostPorts, openSqlite, type SqlDatabase, type SqlRow } from 'millrace';
import { checkLaw, storageLaws } from 'millrace/testing';
import { r2Archive } from '../../workers/edge/archive/r2-archive.ts';
import type { QueuedDelivery } from '../../workers/edge/delivery/queue.ts';
import { openArchived } from '../conformance/drivers/archived.ts';
import { ask, evict, json, problem, publish, pushLines, shardStub, stored } from './edge-client.ts';

const { ARCHIVE: bucket, CONSUMER: consumer } = env as unknown as {
  readonly ARCHIVE: R2Bucket;
  readonly CONSUMER: Fetcher;
};

beforeEach(async () => {
  // Objects that were put out of memory are not forgotten by a reset: they are called back first.
  await ask('/events');
  await reset();
});

function databaseOf(storage: DurableObjectStorage): SqlDatabase {
  return {
    exec: (sql, ...bindings) => storage.sql.exec(sql, ...bindings).toArray() as SqlRow[],
    transaction: (run) => storage.transactionSync(run),
  };
}

describe('a log in a Durable Object, with everything in R2', () => {
  const laws = storageLaws.map((law) => [law.name, law] as const);
  test.each(laws)('%s', async (_name, law) => {
    const stub = env.SHARD.get(env.SHARD.newUniqueId());
    await runInDurableObject(stub, (_instance, state) =>
      checkLaw(law, () => {
        const archive = r2Archive(bucket, { ports: hostPorts });
        const open = (log: string) =>
          openArchived(databaseOf(state.storage), { log: log.replaceAll(/\W/g, '_'), archive });
        return { durable: true, open };
      }),
    );
  });
});

const EVENTS = 2_000;
const EARLIER = Date.parse('2020-01-01T00:00:00Z');
const idOf = (number: number): string => `visit-event-${number}`;
const eventOf = (number: number) => ({
  id: idOf(number),
  type: number % 10 === 0 ? 'order.placed' : 'page.viewed',
  data: { number, page: 'x'.repeat(1_300) },
  timestamp: new Date(EARLIER + number * 1_000).toISOString(),
  source: 'shop',
  correlation_id: `visitor-${number % 50}`,
  subject: `cart-${number % 20}`,
});

interface Page {
  readonly events: readonly { readonly data: { readonly number: number } }[];
  readonly next: string;
  readonly more: boolean;
}

/** Old events, of which the shard has archived an object, and is out of memory since. */
async function archived(): Promise<void> {
  for (let from = 0; from < EVENTS; from += 400)
    await json(publish(Array.from({ length: 400 }, (_, i) => eventOf(from + i))));
  for (let turn = 0; (await objects()).length === 0; turn++) {
    expect(turn).toBeLessThan(200);
    await runDurableObjectAlarm(shardStub());
    await json(publish({ type: 'page.viewed', source: 'shop', data: null, id: `today-${turn}` }));
  }
  await evict();
}

const objects = async () => (await bucket.list()).objects;
const count = (table: string) =>
  runInDurableObject(shardStub(), (_, { storage }) => {
    const [row] = storage.sql.exec(`SELECT COUNT(*) AS n FROM ${table}`).toArray();
    return row!['n'] as number;
  });

async function all(path: string, bound: 'after' | 'before' = 'after'): Promise<number[]> {
  const numbers: number[] = [];
  for (let from = ''; ;) {
    const page = await json<Page>(ask(`${path}${from}`));
    numbers.push(...page.events.map(({ data }) => data?.number).filter((number) => number >= 0));
    if (!page.more) return numbers;
    from = `&${bound}=${page.next}`;
  }
}

const upTo = (most: number) => Array.from({ length: most }, (_, i) => i);

describe('a shard whose old events are in R2', () => {
  it('reads them by everything that it reads by', async () => {
    await archived();
    const [object] = await objects();
    expect(object!.key).toMatch(/^shard-0\/0000000000000001-/);
    expect(object!.size).toBeGreaterThan(2_000_000);
    expect(await count('log_archived')).toBeGreaterThan(2);
    expect(await all('/events?limit=700')).toEqual(upTo(EVENTS));
    const backward = await all('/events?limit=900&direction=backward', 'before');
    expect(backward).toEqual(upTo(EVENTS).toReversed());
    await evict();
    expect(await json(ask(`/events/${idOf(3)}`))).toMatchObject(eventOf(3));
    const orders = await all('/events/type/order.placed?limit=1000');
    expect(orders.toSorted((a, b) => a - b)).toEqual(upTo(EVENTS).filter((n) => n % 10 === 0));
    const visitor = await all('/events/correlation/visitor-7?limit=1000');
    expect(visitor).toEqual(upTo(EVENTS).filter((n) => n % 50 === 7));
    const cart = await all('/events?subject=cart-3&limit=1000');
    expect(cart).toEqual(upTo(EVENTS).filter((n) => n % 20 === 3));
    const time = (number: number) => new Date(EARLIER + number * 1_000).toISOString();
    const range = await all(`/events?from=${time(100)}&to=${time(150)}&limit=1000`);
    expect(range).toEqual(upTo(150).slice(100));
    const pattern = encodeURIComponent(JSON.stringify({ data: { number: [{ numeric: ['<', 5] }] } }));
    expect(await all(`/events?pattern=${pattern}&limit=10`)).toEqual(upTo(5));
  });

  it('follows from before them, and counts them in its windows', async () => {
    await archived();
    const response = await ask('/events/live?after=10');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes(`"id":"${idOf(EVENTS - 1)}"`)) text += (await reader.read()).value;
    await reader.cancel();
    const ids = [...text.matchAll(/"id":"visit-event-(\d+)"/g)].map(([, number]) => Number(number));
    expect(ids).toEqual(upTo(EVENTS));
    const range = 'from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z';
    const old = await json<{ value: { count: number } }[]>(ask(`/windows/events-per-minute?${range}`));
    expect(old.reduce((sum, { value }) => sum + value.count, 0)).toBe(EVENTS);
  });

  it('delivers them to a subscription from the start, and again to its replay', async () => {
    await archived();
    await consumer.fetch('http://consumer/');
    const headers = { 'content-type': 'application/json' };
    const send = (path: string, body: object) =>
      ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const made = await send('/subscriptions', {
      ...{ service_name: 'invoices', event_types: ['order.placed'] },
      ...{ callback_url: 'queue:ORDERS', from: 'start' },
    });
    const { id } = await made.json<{ id: string }>();
    const delivered = new Map<number, number>();
    const take = async (count: number): Promise<void> => {
      const given = await (await consumer.fetch('http://consumer/')).json<QueuedDelivery[]>();
      for (const { headers: of, body } of given)
        delivered.set(Number(of['millrace-sequence']), JSON.parse(body).data.number);
      expect(delivered.size).toBe(count);
    };
    const orders = upTo(EVENTS).filter((number) => number % 10 === 0);
    await vi.waitFor(() => take(orders.length), { timeout: 20_000, interval: 50 });
    expect([...delivered.values()].toSorted((a, b) => a - b)).toEqual(orders);
    expect((await send(`/subscriptions/${id}/replay`, { from: 'start' })).status).toBe(202);
    await vi.waitFor(() => take(2 * orders.length), { timeout: 20_000, interval: 50 });
    const again = [...delivered].filter(([sequence]) => sequence > orders.length);
    expect(again.map(([, number]) => number).toSorted((a, b) => a - b)).toEqual(orders);
  });

  it('knows their ids: the same event is known, another one is refused', async () => {
    await archived();
    const before = await stored();
    const again = await json<{ status: string }[]>(publish([eventOf(1), eventOf(900)]));
    expect(again.map(({ status }) => status)).toEqual(['duplicate', 'duplicate']);
    expect(await problem(publish({ ...eventOf(1), data: null }))).toMatchObject({
      status: 409,
      code: 'event.conflict',
    });
    expect(await stored()).toBe(before);
  });

  it('says 503 where R2 has lost them or changed them, deletes nothing, and goes on without', async () => {
    await archived();
    const [{ key }] = (await objects()) as [R2Object];
    const bytes = await (await bucket.get(key))!.arrayBuffer();
    const refused = { status: 503, code: 'storage.archive-failed' };
    for (const other of [undefined, new Uint8Array(bytes.byteLength)]) {
      await (other === undefined ? bucket.delete(key) : bucket.put(key, other));
      await evict();
      expect(await problem(ask(`/events/${idOf(3)}`))).toMatchObject(refused);
      expect(await problem(ask('/events?limit=10'))).toMatchObject(refused);
      expect(await problem(publish({ ...eventOf(1) }))).toMatchObject(refused);
      await json(publish({ type: 'page.viewed', source: 'shop', data: null }));
      await runDurableObjectAlarm(shardStub());
      expect(await count('log_archived')).toBeGreaterThan(2);
    }
    await bucket.put(key, bytes);
    expect(await json(ask(`/events/${idOf(3)}`))).toMatchObject(eventOf(3));
    expect(await all('/events?limit=1000')).toEqual(upTo(EVENTS));
  });

  it('blanks what a producer has pushed, there too', async () => {
    const lines = upTo(300).map((number) =>
      JSON.stringify({ ...eventOf(number), id: `mine-${number}` }),
    );
    await json(pushLines({ producer: 'device', epoch: 1, seq: 1, count: 300 } as never, lines));
    await archived();
    const [{ key }] = (await objects()) as [R2Object];
    expect(await (await bucket.get(key))!.text()).toContain('"mine-1"');
    expect(await json(ask('/sync/producers/device', { method: 'DELETE' }))).toEqual({ events: 300 });
    for (const object of await objects())
      expect(await (await bucket.get(object.key))!.text()).not.toMatch(
        /"mine-\d+","type":"[\w.]+","data":\{"number/,
      );
    expect((await objects()).map((object) => object.key)).not.toContain(key);
    expect(await json(ask('/events/mine-1'))).toMatchObject({ data: { $erased: true } });
    expect(await json(ask(`/events/${idOf(3)}`))).toMatchObject(eventOf(3));
    expect(await json(ask('/events/mine-299'))).toMatchObject({ data: { $erased: true } });
  });
});

it('reads without its binding what is here, and says of the rest that it must be bound', async () => {
  const stub = env.SHARD.get(env.SHARD.newUniqueId());
  await runInDurableObject(stub, async (_, { storage }) => {
    const database = databaseOf(storage);
    const archive = r2Archive(bucket, { ports: hostPorts });
    const log = openArchived(database, { log: 'bound', archive });
    const commit = async (of: { commit: typeof log.commit }) =>
      of.commit([{ events: [{ ...baseEvent, id: crypto.randomUUID() }] }]);
    await commit(log);
    const unbound = openSqlite(database, { log: 'bound' });
    await commit(unbound);
    await expect(Promise.resolve(unbound.read({ limit: 1 }))).rejects.toMatchObject({
      code: 'storage.archive-failed',
      details: { reason: 'unbound' },
    });
    expect((await unbound.read({ after: 1 })).events).toHaveLength(1);
  });
});

const baseEvent = {
  type: 'page.viewed',
  data: null,
  timestamp: EARLIER,
  source: 'shop',
  priority: 2 as const,
  correlationId: undefined,
  causationId: undefined,
  subject: undefined,
};
