/** Subscriptions to a queue: the platform's own queue, and a consumer in a Worker of its own. */
import { reset } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Webhook } from 'standardwebhooks';
import type { QueuedDelivery } from '../../workers/edge/delivery/queue.ts';
import { ask, evict, json, order, post, problem, publish } from './edge-client.ts';

const consumer = (env as unknown as { CONSUMER: Fetcher }).CONSUMER;

const given: QueuedDelivery[] = [];
beforeEach(async () => {
  // Objects that were put out of memory are not forgotten by a reset: they are called back first.
  await Promise.all([ask('/events'), ask('/subscriptions')]);
  await reset();
  await take();
  given.length = 0;
});

async function take(): Promise<readonly QueuedDelivery[]> {
  given.push(...(await (await consumer.fetch('http://consumer/')).json<QueuedDelivery[]>()));
  return given;
}

interface Subscription {
  readonly id: string;
  readonly secret: string;
  readonly state: string;
  readonly [field: string]: unknown;
}

const subscribe = (fields: object = {}) =>
  post(
    JSON.stringify({
      service_name: 'invoices',
      event_types: ['order.placed'],
      callback_url: 'queue:ORDERS',
      ...fields,
    }),
    'application/json',
    '/subscriptions',
  );
const made = async (fields?: object): Promise<Subscription> => {
  const response = await subscribe(fields);
  expect(response.status).toBe(201);
  return response.json();
};
const show = (id: string) => json<Subscription>(ask(`/subscriptions/${id}`));
const orders = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...order,
    id: `order-${i}`,
    data: { total: i },
    subject: `cart-${i % 7}`,
  }));
const sequenceOf = ({ headers }: QueuedDelivery): number => Number(headers['millrace-sequence']);
const waitFor = { timeout: 20_000, interval: 50 };

describe('a subscription to a queue', () => {
  it('is given each matching event, signed, in a dense sequence, and each key in order', async () => {
    const { id, secret, state } = await made();
    expect(state).toBe('active');
    await json(publish([...orders(250), { ...order, type: 'page.viewed' }]));
    await vi.waitFor(async () => expect((await take()).length).toBeGreaterThanOrEqual(250), waitFor);
    const first = new Map(given.map((delivery) => [sequenceOf(delivery), delivery]));
    expect([...first.keys()].toSorted((a, b) => a - b)).toEqual(orders(250).map((_, i) => i + 1));
    const webhook = new Webhook(secret);
    for (const [sequence, { headers, body }] of first) {
      expect(headers['webhook-id']).toBe(`${id}_${sequence}`);
      expect(webhook.verify(body, headers as Record<string, string>)).toMatchObject({
        id: `order-${sequence - 1}`,
        data: { total: sequence - 1 },
      });
    }
    for (let cart = 0; cart < 7; cart++) {
      const ofCart = [...first.keys()].filter((sequence) => (sequence - 1) % 7 === cart);
      // Sent in order: this queue, with one consumer, keeps it.
      expect(ofCart).toEqual(ofCart.toSorted((a, b) => a - b));
    }
    expect(await show(id)).toMatchObject({ sequence: 250 });
  });

  it('goes on after its object was out of memory, with nothing missing', async () => {
    const { id } = await made({ batch: 10 });
    await json(publish(orders(60)));
    await evict();
    await show(id);
    const ids = () =>
      new Set(
        given.flatMap(({ body }) => (JSON.parse(body) as { id: string }[]).map((each) => each.id)),
      );
    await vi.waitFor(async () => {
      await take();
      expect(ids().size).toBe(60);
    }, waitFor);
    expect(new Set(given.map(sequenceOf)).size).toBe(Math.max(...given.map(sequenceOf)));
  });

  it('makes what is too large for a message a dead letter at once, and delivers the others', async () => {
    const { id } = await made();
    await json(
      publish([
        { ...order, id: 'large', data: 'x'.repeat(130_000) },
        { ...order, id: 'small' },
      ]),
    );
    await vi.waitFor(async () => expect(await take()).toHaveLength(1), waitFor);
    expect(JSON.parse(given[0]!.body)).toMatchObject({ id: 'small' });
    interface Dead {
      readonly dead_letters?: readonly unknown[];
    }
    await vi.waitFor(async () => {
      const dead = await json<Dead>(ask(`/subscriptions/${id}/dead-letters`));
      expect(JSON.stringify(dead)).toContain('a message may have 128000');
      expect(JSON.stringify(dead)).toContain('"sequence":1');
    }, waitFor);
  });

  it('is refused where the queue is not bound, with those that are', async () => {
    for (const callback_url of [
      'queue:NOWHERE',
      'queue:',
      'queue:CONSUMER',
      'queue:SHARD',
      'queue:__proto__',
    ]) {
      const refused = await problem(subscribe({ callback_url }));
      expect(refused).toMatchObject({ status: 400, code: 'subscription.invalid' });
      expect(refused.errors).toEqual([
        {
          pointer: '/callback_url',
          detail: 'must be a queue that the edge is bound to: queue:ORDERS',
        },
      ]);
    }
    const { id } = await made();
    const moved = (callback_url: string) =>
      ask(`/subscriptions/${id}`, {
        method: 'PATCH',
        body: JSON.stringify({ callback_url }),
        headers: { 'content-type': 'application/json' },
      });
    expect(await problem(moved('queue:NOWHERE'))).toMatchObject({ status: 400 });
    expect(await json(moved('queue:ORDERS'))).toMatchObject({ state: 'active' });
  });
});
