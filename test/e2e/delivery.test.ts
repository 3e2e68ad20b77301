/**
 * Webhooks to receivers that are well, slow, down for a while, failing, busy, elsewhere, or gone for a while, over an
 * edge that is killed under way: each gets every matching event, each key in its order, by a sequence without a gap,
 * and twice only what comes under the same id.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EdgeProcess } from '../../demo/edge-process.ts';
import type { WireEvent } from '../../src/event/wire.ts';
import { Receiver, type Behaviour, type Reaction } from '../unit/delivery-receiver.ts';
import { ask, startDeliveringEdge, until, type Shown } from './delivery-edge.ts';
import { edgeEvents } from './edge-log.ts';

const KILLS = Number(process.env['MILLRACE_KILLS'] ?? 3);
const EVENTS_A_ROUND = 60;
const KEYS = 12;

let folder: string;
let edge: EdgeProcess;
const receivers: Receiver[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-delivery-'));
  edge = await startDeliveringEdge(join(folder, 'state'));
});

afterAll(async () => {
  await edge.kill();
  for (const receiver of receivers) await receiver.down();
  rmSync(folder, { recursive: true, force: true });
});

/** Every so many deliveries go wrong like this, each at its first attempt. */
function nowAndThen(every: number, reaction: Reaction): Behaviour {
  return ({ id, sequence }, earlier) =>
    sequence % every === 0 && earlier.filter((one) => one.id === id).length < 2
      ? reaction
      : { status: 204 };
}

const behaviours: Readonly<Record<string, Behaviour>> = {
  well: () => ({ status: 200 }),
  slow: async () => {
    await new Promise((done) => setTimeout(done, 30));
    return { status: 202 };
  },
  failing: nowAndThen(7, { status: 500, body: 'x'.repeat(100_000) }),
  busy: nowAndThen(50, { status: 429, headers: { 'retry-after': '1' } }),
  elsewhere: nowAndThen(40, { status: 308, headers: { location: 'http://127.0.0.1:1/' } }),
  'taking it and telling nobody': nowAndThen(10, 'cut'),
  'down for a while': () => ({ status: 200 }),
  'gone for a while': () => ({ status: 200 }),
};

test('every matching event arrives, in order, without a gap, however often the edge is killed', async () => {
  const subscribed = await Promise.all(
    Object.entries(behaviours).map(async ([name, behaviour], i) => {
      const receiver = await Receiver.listen();
      receivers.push(receiver);
      receiver.behaviour = behaviour;
      const { id, secret, state } = await ask<Shown>(`${edge.url}/subscriptions`, 'POST', {
        service_name: name,
        ...(i % 2 === 0
          ? { event_types: ['order.placed'] }
          : { pattern: { type: ['order.placed'], data: { number: [{ numeric: ['>=', 0] }] } } }),
        callback_url: receiver.url,
        ...(i % 3 === 0 && { batch: 10 }),
      });
      expect([name, state]).toEqual([name, 'active']);
      receiver.secret = secret;
      return { name, id, receiver };
    }),
  );
  const named = (name: string) => subscribed.find((one) => one.name === name)!;
  for (let round = 0; round < KILLS; round++) {
    if (round % 4 === 0) await named('down for a while').receiver.down();
    if (round % 4 === 1) named('gone for a while').receiver.behaviour = () => ({ status: 410 });
    const { received } = named('slow').receiver;
    const before = received.length;
    await publish(round);
    // At first right after the answer, then with deliveries under way.
    await until('a delivery', () => round === 0 || received.length > before + 3);
    await edge.kill();
    if (round % 4 === 1) await named('down for a while').receiver.up();
    named('gone for a while').receiver.behaviour = () => ({ status: 200 });
    edge = await startDeliveringEdge(join(folder, 'state'));
  }
  const log = await edgeEvents(edge);
  expect(log).toHaveLength(KILLS * EVENTS_A_ROUND * 2);
  const wanted = log.filter(({ type }) => type === 'order.placed');
  for (const { name, id, receiver } of subscribed) {
    if (name === 'down for a while') await receiver.up();
    const shown = () => ask<Shown>(`${edge.url}/subscriptions/${id}`);
    if ((await shown()).state === 'disabled')
      await ask(`${edge.url}/subscriptions/${id}`, 'PATCH', { state: 'active' });
    await until(
      `everything delivered to the one that is ${name}`,
      async () => {
        const { waiting, delivered, sequence } = await shown();
        return waiting === 0 && delivered === sequence && eventsIn(receiver).size === wanted.length;
      },
      120_000,
    );
    checkReceived(receiver, wanted);
    expect(await shown()).toMatchObject({ dead_letters: 0, state: 'active', breaker: 'closed' });
  }
});

test('what is refused for as long as it is tried is a dead letter, and driven again closes the gap', async () => {
  const receiver = await Receiver.listen();
  receivers.push(receiver);
  receiver.behaviour = ({ body }) => ({ status: body.includes('"poison"') ? 500 : 200 });
  const { id, secret } = await ask<Shown>(`${edge.url}/subscriptions`, 'POST', {
    service_name: 'picky',
    event_types: ['order.poisoned'],
    callback_url: receiver.url,
    retry_for_ms: 1_500,
  });
  receiver.secret = secret;
  const events = ['a', 'b', 'a', 'a', 'b'].map((subject, i) => ({
    ...{ type: 'order.poisoned', source: 'shop', subject },
    data: { text: i === 0 ? 'poison' : 'good', number: i },
  }));
  await ask(`${edge.url}/events`, 'POST', events);
  const shown = () => ask<Shown>(`${edge.url}/subscriptions/${id}`);
  await until('the others', async () => (await shown()).delivered === 4);
  const sequences = () => new Set(receiver.accepted.map(({ sequence }) => sequence));
  expect(sequences()).toEqual(new Set([2, 3, 4, 5]));
  const { dead_letters: dead } = await ask<{ dead_letters: { sequence: number }[] }>(
    `${edge.url}/subscriptions/${id}/dead-letters`,
  );
  expect(dead).toMatchObject([{ sequence: 1, status: 'dead' }]);
  receiver.behaviour = () => ({ status: 200 });
  await ask(`${edge.url}/subscriptions/${id}/dead-letters/redrive`, 'POST', {});
  await until('the dead letter', async () => (await shown()).delivered === 5);
  expect(sequences()).toEqual(new Set([1, 2, 3, 4, 5]));
  expect(receiver.forged).toEqual([]);
});

/** As a client that goes on until it is told that all is stored. */
async function publish(round: number): Promise<void> {
  const events = Array.from({ length: EVENTS_A_ROUND * 2 }, (_, i) => ({
    id: `e-${round}-${i}`,
    type: i % 2 === 0 ? 'order.placed' : 'page.viewed',
    source: 'shop',
    subject: `cart-${(i >> 1) % KEYS}`,
    data: { number: i },
    timestamp: new Date(1_700_000_000_000 + i).toISOString(),
  }));
  for (let i = 0; i < events.length; i += 40)
    await ask(`${edge.url}/events`, 'POST', events.slice(i, i + 40));
}

function eventsIn(receiver: Receiver): Map<string, WireEvent> {
  return new Map(receiver.accepted.flatMap(eventsOf).map((event) => [event.id, event]));
}

function eventsOf({ body }: { readonly body: string }): readonly WireEvent[] {
  const parsed = JSON.parse(body) as WireEvent | WireEvent[];
  return Array.isArray(parsed) ? parsed : [parsed];
}

/** The oracle: the edge's own log. */
function checkReceived(receiver: Receiver, wanted: readonly WireEvent[]): void {
  expect(receiver.forged).toEqual([]);
  const bodies = new Map<number, string>();
  const inOrder: WireEvent[] = [];
  for (const received of receiver.received) {
    const known = bodies.get(received.sequence);
    expect(known ?? received.body).toBe(received.body);
    if (known === undefined) inOrder.push(...eventsOf(received));
    bodies.set(received.sequence, received.body);
  }
  const last = Math.max(...bodies.keys());
  expect([...bodies.keys()].toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: last }, (_, i) => i + 1),
  );
  const bySubject = (events: readonly WireEvent[]) =>
    Object.fromEntries(Map.groupBy(events, ({ subject }) => subject!));
  expect(bySubject(inOrder)).toEqual(bySubject(wanted));
}
