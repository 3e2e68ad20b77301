/**
 * Shards that are raised under whoever follows their log: subscriptions, replays and live readers. An isolate remembers
 * what it was told of a tenant, so that each test here has a tenant of its own.
 */
import { reset } from 'cloudflare:test';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Network } from './delivery-network.ts';
import { ask, bearer, evict, json, order, problem } from './edge-client.ts';

let network: Network;
beforeEach(async () => {
  await reset();
  network = new Network();
  network.names.set('shop.example.com', '93.184.216.34');
});
afterEach(() => network[Symbol.dispose]());

const KEYS = 5;
const wait = { timeout: 20_000, interval: 20 };

function clientOf(key: 'admin' | 'stranger') {
  const authorization = bearer(key);
  const get = <T>(path: string) => json<T>(ask(path, { headers: { authorization } }));
  const send = (method: string, path: string, body: unknown, more: Record<string, string> = {}) =>
    ask(path, {
      method,
      headers: { authorization, 'content-type': 'application/json', ...more },
      body: JSON.stringify(body),
    });
  return { get, send, authorization };
}

const of = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    ...order,
    id: `e-${from + i}`,
    data: from + i,
    correlation_id: `visitor-${(from + i) % KEYS}`,
  }));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

/** What was taken, each delivery once, has every number up to it, each key in its order. */
function expectAll(numbers: readonly number[], count: number): void {
  expect(numbers.toSorted((a, b) => a - b)).toEqual(upTo(count));
  for (let key = 0; key < KEYS; key++)
    expect(numbers.filter((n) => n % KEYS === key)).toEqual(upTo(count).filter((n) => n % KEYS === key));
}

const numbersTaken = () =>
  [...new Map(network.taken.map((one) => [one.id, one])).values()].map(
    ({ body }) => (JSON.parse(body) as { readonly data: number }).data,
  );

it('subscriptions follow to the new shards, and replay them all', async () => {
  const { get, send } = clientOf('admin');
  const asked = { service_name: 's', event_types: ['order.placed'] };
  const made = await send('POST', '/subscriptions', {
    ...asked,
    callback_url: 'https://shop.example.com/hook',
  });
  const { id, secret } = await made.json<{ readonly id: string; readonly secret: string }>();
  network.secret = secret;
  await send('POST', '/events', of(1, 20));
  for (const [from, shards] of [
    [21, 2],
    [61, 4],
  ] as const) {
    // Some come before the raise, some after it, and it falls among them.
    const published = upTo(20).map((i) =>
      send('POST', '/events', of(from + 2 * (i - 1), from + 2 * i - 1)),
    );
    expect((await send('POST', '/shards', { shards })).status).toBe(200);
    for (const one of await Promise.all(published)) expect(one.status).toBe(200);
    await evict();
  }
  await vi.waitFor(() => expect(new Set(numbersTaken()).size).toBe(100), wait);
  // Requests that ran together have no order among them: each has two events of two keys.
  expect(numbersTaken().toSorted((a, b) => a - b)).toEqual(upTo(100));
  await send('POST', '/events', of(101, 140));
  await vi.waitFor(() => expect(numbersTaken()).toHaveLength(140), wait);
  expect(
    numbersTaken()
      .slice(100)
      .toSorted((a, b) => a - b),
  ).toEqual(upTo(140).slice(100));
  const { cursors } = await get<{ readonly cursors: object }>(`/subscriptions/${id}`);
  expect(Object.keys(cursors)).toHaveLength(1 + 2 + 4);
  network.taken.length = 0;
  const replayed = await send('POST', `/subscriptions/${id}/replay`, { from: 'start', to: 'now' });
  expect([replayed.status, await replayed.json()]).toEqual([202, { replays: ['replay-1'] }]);
  await vi.waitFor(() => expect(numbersTaken()).toHaveLength(140), wait);
  expect(numbersTaken().toSorted((a, b) => a - b)).toEqual(upTo(140));
  expect(network.forged).toEqual([]);
  // From behind what was read: a vector cursor. One of an epoch that never was is of another log.
  const { next } = await get<{ readonly next: string }>('/events?limit=1000&direction=forward');
  const dry = await send('POST', '/subscriptions', {
    ...{ ...asked, callback_url: 'https://shop.example.com/hook', dry_run: true, from: next },
  });
  const { matched } = await dry.json<{ readonly matched: number }>();
  const { events } = await get<{ readonly events: readonly unknown[] }>('/events?limit=1000');
  expect(matched).toBe(140 - events.length);
  const strange = send('POST', '/subscriptions', {
    ...{ ...asked, callback_url: 'https://shop.example.com/hook', from: 'v1917101010' },
  });
  expect(await problem(strange)).toMatchObject({ status: 400, code: 'cursor.invalid' });
}, 60_000);

/** Follows by WebSocket, connecting again wherever it is closed. */
class Follower {
  readonly numbers: number[] = [];
  cursor = '10';
  connections = 0;
  ended = false;
  readonly #authorization: string;
  #socket: WebSocket | undefined;

  constructor(authorization: string) {
    this.#authorization = authorization;
  }

  async connect(): Promise<void> {
    if (this.ended) return;
    this.connections++;
    const headers = { upgrade: 'websocket', authorization: this.#authorization };
    const { webSocket } = await ask(`/events/live?after=${this.cursor}`, { headers });
    this.#socket = webSocket!;
    this.#socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(data as string) as { cursor: string; event?: { data: number } };
      this.cursor = frame.cursor;
      if (frame.event !== undefined) this.numbers.push(frame.event.data);
    });
    this.#socket.addEventListener('close', () => void this.connect());
    this.#socket.accept();
  }

  end(): void {
    this.ended = true;
    this.#socket?.close();
  }
}

it('live readers go on, and wait for none of the shards that ended', async () => {
  const { get, send, authorization } = clientOf('stranger');
  const follower = new Follower(authorization);
  await send('POST', '/events', of(1, 10));
  await follower.connect();
  // Each waits longer than this test may take: a raise is to wake it.
  const polls: Promise<{ readonly events: readonly unknown[]; readonly next: string }>[] = [];
  let count = 10;
  for (const shards of [2, 4]) {
    await vi.waitFor(() => expect(follower.numbers).toHaveLength(count), wait);
    polls.push(get(`/events/live?wait=25&after=${follower.cursor}`));
    await new Promise((done) => setTimeout(done, 0));
    await send('POST', '/shards', { shards });
    await send('POST', '/events', of(count + 1, count + 30));
    count += 30;
  }
  await vi.waitFor(() => expect(follower.numbers).toHaveLength(count), wait);
  expectAll(follower.numbers, count);
  // Of one shard, the poll ends with it, and says where to go on; of several, it goes on by itself.
  const [first, second] = await Promise.all(polls);
  expect(first!.next).toBe('1a');
  expect(second!.events.length).toBeGreaterThan(0);
  follower.end();
  const keyed = { 'idempotency-key': 'k-1' };
  const one = [
    { ...order, correlation_id: 'a' },
    { ...order, correlation_id: 'b' },
  ];
  const published = await send('POST', '/events', one, keyed);
  const again = await send('POST', '/events', one, keyed);
  expect([
    published.headers.get('idempotency-replayed'),
    again.headers.get('idempotency-replayed'),
  ]).toEqual([null, 'true']);
  expect(await again.json()).toEqual(await published.json());
}, 22_000);
