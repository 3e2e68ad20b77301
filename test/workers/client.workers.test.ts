import { reset } from 'cloudflare:test';
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import { defineEvents, hasCode, hostPorts, type Fetch, type MillraceError } from 'millrace';
import { EventClient } from 'millrace/client';
import { z } from 'zod/mini';
import { testKeys } from '../test-key-names.ts';
import { Network } from './delivery-network.ts';
import { ask } from './edge-client.ts';

const shop = defineEvents({ 'order.placed': z.object({ orderId: z.string(), total: z.number() }) });

/** To the real edge, in this process. */
const fetch: Fetch = (url, init) =>
  ask(new URL(url).pathname + new URL(url).search, init as RequestInit);
/** Waits take no time here. */
const ports = { ...hostPorts, after: (_: number, callback: () => void) => hostPorts.after(0, callback) };
const options = { endpoint: 'https://edge.test/', source: 'till', catalogue: shop, ports } as const;
const client = new EventClient({ ...options, fetch });

afterEach(reset);

describe('the event client', () => {
  test('publishes, and finds what it published by id, type, correlation and cursor', async () => {
    const published = await client.publishEvent(
      'order.placed',
      { orderId: 'o-1', total: 30 },
      { correlationId: 'v/1' },
    );
    expect(published).toMatchObject({ status: 'published' });
    const event = await client.getEvent(published.id);
    expect(event).toMatchObject({
      id: published.id,
      type: 'order.placed',
      source: 'till',
      data: { total: 30 },
    });
    for (const page of [
      await client.getEventsByType('order.placed'),
      await client.getEventsByCorrelationId('v/1'),
      await client.read(),
    ]) {
      expect(page).toMatchObject({ events: [{ id: published.id }], more: false });
    }
    expect(await client.getEvent('unknown')).toBeUndefined();
  });

  test('goes on from a page’s cursor, and sees each event once', async () => {
    for (let i = 0; i < 5; i++) await client.publishEvent('order.placed', { orderId: `${i}`, total: i });
    const seen: unknown[] = [];
    let after: string | undefined;
    for (let more = true; more;) {
      const page = await client.read({ limit: 2, ...(after !== undefined && { after }) });
      seen.push(...page.events.map(({ data }) => (data as { orderId: string }).orderId));
      after = page.next;
      ({ more } = page);
    }
    expect(seen).toEqual(['0', '1', '2', '3', '4']);
  });

  test('repeats a request whose answer was lost, and stores nothing twice', async () => {
    let calls = 0;
    const losing: Fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (++calls < 3) throw new TypeError('connection lost');
      return response;
    };
    const published = await new EventClient({ ...options, fetch: losing }).publishEvent('order.placed', {
      orderId: 'o',
      total: 1,
    });
    // By its key the edge knows the request, and says what it has said the first time.
    expect([calls, published.status]).toEqual([3, 'published']);
    expect((await client.read()).events).toHaveLength(1);
  });

  test('publishes any number, in requests of no more than the edge takes, and repeats each alone', async () => {
    let requests = 0;
    const counting: Fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (++requests === 2) throw new TypeError('connection lost');
      return response;
    };
    const many = new EventClient({ ...options, fetch: counting, batch: { events: 10 } });
    const drafts = Array.from({ length: 25 }, (_, total) => ({
      type: 'order.placed' as const,
      data: { orderId: `o-${total}`, total },
    }));
    const published = await many.publishEvents(drafts);
    expect(requests).toBe(4);
    expect(published.map(({ status }) => status)).toEqual(drafts.map(() => 'published'));
    const { events } = await client.read();
    expect(events.map(({ id }) => id)).toEqual(published.map(({ id }) => id));
    expect(await many.publishEvents(events)).toEqual(
      published.map((one) => ({ ...one, status: 'duplicate' })),
    );
    expect(await many.publishEvents([])).toEqual([]);
  });

  test('subscribes to a callback once, however often it asks and answers are lost, and moves it', async () => {
    using _network = new Network();
    let lost = 0;
    const losing: Fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (init.method === 'POST' && lost++ < 2) throw new TypeError('connection lost');
      return response;
    };
    const callbacks = new EventClient({ ...options, fetch: losing });
    const made = await callbacks.subscribeToEvents('order.*', 'https://nobody.shop.example.com/a');
    expect(made).toMatchObject({ serviceName: 'till', state: 'pending', sequence: 0 });
    const moved = await callbacks.subscribeToEvents('order.*', 'https://nobody.shop.example.com/b');
    expect(moved).toMatchObject({ id: made.id, callbackUrl: 'https://nobody.shop.example.com/b' });
    expect(await callbacks.subscriptions.list()).toHaveLength(1);
    const other = await callbacks.subscribeToEvents('order.placed', 'https://nobody.shop.example.com/b');
    expect(other.id).not.toBe(made.id);
    await callbacks.subscriptions.remove(made.id);
    await callbacks.subscriptions.remove(made.id);
    expect(await callbacks.subscriptions.get(made.id)).toBeUndefined();
  });

  test('gives up after its attempts, with an error that says so; a refusal is not repeated', async () => {
    let calls = 0;
    const down: Fetch = () => Promise.reject(new TypeError(`down ${++calls}`));
    const unreachable = await failure(new EventClient({ ...options, fetch: down, attempts: 3 }).read());
    expect([calls, hasCode(unreachable, 'sync.unreachable')]).toEqual([3, true]);
    const refused = await failure(client.read({ limit: 0 }));
    expect(refused).toMatchObject({ code: 'sync.refused', details: { status: 400 } });
    const nonsense: Fetch = async () => new Response('<html>');
    expect(await failure(new EventClient({ ...options, fetch: nonsense }).read())).toMatchObject({
      code: 'sync.unreachable',
    });
  });

  test('sends its key, and is told what that does not allow', async () => {
    const publishing = new EventClient({ ...options, fetch, key: testKeys.publish });
    const published = await publishing.publishEvent('order.placed', { orderId: 'o', total: 1 });
    expect(await failure(publishing.read())).toMatchObject({
      code: 'sync.refused',
      details: { status: 403, code: 'access.refused' },
    });
    const reading = new EventClient({ ...options, fetch, key: testKeys.read });
    expect(await reading.getEvent(published.id)).toMatchObject({ id: published.id });
    const unknown = new EventClient({ ...options, fetch, key: 'none' });
    expect(await failure(unknown.read())).toMatchObject({
      details: { status: 401, code: 'access.unknown' },
    });
  });

  test('is typed by the catalogue, and refuses what its schema refuses', async () => {
    expectTypeOf(client.publishEvent<'order.placed'>)
      .parameter(1)
      .toEqualTypeOf<{ orderId: string; total: number }>();
    const wrong = client.publishEvent('order.placed', { orderId: 'o', total: 'x' as never });
    expect(await failure(wrong)).toMatchObject({
      code: 'event.invalid',
      details: { path: '/data/total' },
    });
  });
});

async function failure(asked: Promise<unknown>): Promise<MillraceError> {
  return asked.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: MillraceError) => error,
  );
}
