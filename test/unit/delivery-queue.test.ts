/** What is sent to a queue together, and what a queue never takes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostPorts } from '../../src/ports.ts';
import { verdictOf } from '../../workers/edge/delivery/outcome.ts';
import {
  consentOfQueue,
  objectionToQueue,
  queuesIn,
  queueLimits,
  queueOf,
  QueueSender,
  type QueueMessage,
} from '../../workers/edge/delivery/queue.ts';
import { Receiver } from './delivery-receiver.ts';
import { Shop } from './delivery-shop.ts';

const request = (body: string, number = 0) =>
  ({
    url: 'queue:ORDERS',
    method: 'POST',
    headers: { 'webhook-id': `sub_${number}` },
    body,
    timeoutMs: 1_000,
  }) as const;
const bytesOf = ({ body }: QueueMessage): number =>
  new TextEncoder().encode(JSON.stringify(body)).byteLength + queueLimits.metadataBytes;

/** Refuses what the platform does. */
function queue(fails: (batch: number) => boolean = () => false) {
  const batches: (readonly QueueMessage[])[] = [];
  return {
    batches,
    async sendBatch(messages: readonly QueueMessage[]) {
      batches.push(messages);
      expect(messages.length).toBeLessThanOrEqual(100);
      expect(messages.reduce((sum, each) => sum + bytesOf(each), 0)).toBeLessThanOrEqual(256_000);
      if (fails(batches.length - 1)) throw new Error('Too Many Requests');
    },
  };
}

describe('a queue as a sink', () => {
  it('is given all that is sent together, once and in order, in batches as full as it takes them', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(3_000), fc.nat(140_000)), { maxLength: 250 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(3), async (given, failing) => {
        const orders = queue((batch) => batch === failing);
        const sender = new QueueSender({ ORDERS: orders }, hostPorts);
        const answers = await Promise.all(
          given.map((size, i) => sender.send('ORDERS', request('é'.repeat(size >> 1), i))),
        );
        const sent = orders.batches.flat().map(({ body }) => body.headers['webhook-id']);
        const possible = given.flatMap((_, i) => (answers[i]!.final ? [] : [`sub_${i}`]));
        expect(sent).toEqual(possible);
        const lost = new Set(orders.batches[failing]?.map(({ body }) => body.headers['webhook-id']));
        for (const [i, answer] of answers.entries())
          expect(verdictOf(answer)).toBe(
            answer.final ? 'refused' : lost.has(`sub_${i}`) ? 'failed' : 'delivered',
          );
        for (const [i, batch] of orders.batches.slice(1).entries()) {
          const before = orders.batches[i]!;
          const bytes = [...before, batch[0]!].reduce((sum, each) => sum + bytesOf(each), 0);
          expect(before.length === 100 || bytes > 256_000).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is never given what is too large for it', async () => {
    const orders = queue();
    const sender = new QueueSender({ ORDERS: orders }, hostPorts);
    const around = async (size: number) => sender.send('ORDERS', request('x'.repeat(size)));
    const rest = 128_000 - bytesOf({ body: request(''), contentType: 'json' } as never);
    expect((await around(rest)).taken ?? (await around(rest - 200)).taken).toBe(true);
    expect(await around(128_000)).toMatchObject({
      final: true,
      error: expect.stringContaining('128000'),
    });
  });

  it('has failed where it does not answer, or is bound no more', async () => {
    const never = { sendBatch: () => new Promise<never>(() => undefined) };
    const ports = { ...hostPorts, after: (_: number, run: () => void) => hostPorts.after(0, run) };
    const sender = new QueueSender({ ORDERS: never }, ports);
    expect(await sender.send('ORDERS', request('{}'))).toMatchObject({
      error: 'no answer within 1000 ms',
    });
    const gone = await sender.send('constructor', request('{}'));
    expect([verdictOf(gone), gone.error]).toEqual([
      'failed',
      'the edge is bound to no queue constructor',
    ]);
  });

  it('is one that is bound, and no other binding', () => {
    const service = new Proxy({}, { get: () => () => undefined, has: () => true });
    const env = { ORDERS: queue(), CONSUMER: service, MILLRACE_KEYS: '[]', SHARD: { getByName() {} } };
    const queues = queuesIn(env);
    expect(Object.keys(queues)).toEqual(['ORDERS']);
    expect(queueOf('queue:ORDERS')).toBe('ORDERS');
    expect(queueOf('https://queue:ORDERS@shop.example.com/')).toBeUndefined();
    expect(objectionToQueue('ORDERS', queues)).toBeUndefined();
    for (const name of ['', 'orders', 'SHARD', 'CONSUMER', '__proto__', 'toString'])
      expect(objectionToQueue(name, queues)).toBe(
        'must be a queue that the edge is bound to: queue:ORDERS',
      );
    expect(consentOfQueue('ORDERS', queues)).toEqual({ given: true });
    expect(consentOfQueue('ORDERS', {})).toMatchObject({ given: false });
  });

  it('is sent to again where it fails, under the same id, and each key in order', async () => {
    const receiver = await Receiver.listen();
    const orders = queue((batch) => batch % 2 === 0);
    const shop = new Shop(receiver, { callbackUrl: 'queue:ORDERS', queues: { ORDERS: orders } });
    for (let key = 0; key < 30; key++) await shop.publish(3, { subject: `cart-${key}` });
    await shop.settle();
    expect(shop.view).toMatchObject({ state: 'active', delivered: 90, waiting: 0, dead_letters: 0 });
    const taken = orders.batches.filter((_, batch) => batch % 2 === 1).flat();
    const sequences = taken.map(({ body }) => Number(body.headers['millrace-sequence']));
    expect(sequences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
    for (let key = 0; key < 30; key++) {
      const ofKey = sequences.filter((sequence) => Math.floor((sequence - 1) / 3) === key);
      expect(ofKey).toEqual([3 * key + 1, 3 * key + 2, 3 * key + 3]);
    }
    const refused = orders.batches[0]![0]!.body;
    const again = taken.find(({ body }) => body.headers['webhook-id'] === refused.headers['webhook-id']);
    expect(again?.body.body).toBe(refused.body);
    expect(receiver.accepted).toEqual([]);
    await receiver.down();
  });
});
