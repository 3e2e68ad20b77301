/** A service in a Durable Object of workerd, on the object's own SQLite, beside the real edge. */
import { reset, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeLine, hostPorts, makeEvent, type Fetch } from 'millrace';
import { EventService } from 'millrace/service';
import { sign } from '../../workers/edge/delivery/signature.ts';
import { durableObjectHarness } from '../conformance/drivers/durable-object.ts';
import { testKeys } from '../test-key-names.ts';
import { Network } from './delivery-network.ts';
import { ask, json } from './edge-client.ts';

let network: Network;
beforeEach(() => {
  network = new Network();
  network.names.set('stock.example.com', '93.184.216.34');
});
afterEach(async () => {
  network[Symbol.dispose]();
  await reset();
});

const fetch: Fetch = (url, init) =>
  ask(new URL(url).pathname + new URL(url).search, init as RequestInit);

test('it subscribes, handles each delivery once, and publishes what it makes of it', async () => {
  const stub = env.SHARD.get(env.SHARD.newUniqueId());
  await runInDurableObject(stub, async (_instance, state) => {
    const storage = await durableObjectHarness(state.storage).open('stock');
    const service = new EventService({
      ...{ name: 'stock', endpoint: 'https://edge.test', key: testKeys.admin, fetch, storage },
      callbackUrl: 'https://stock.example.com/events',
    });
    service.registerHandler('order.placed', async ({ data }, transaction) => {
      transaction.put('taken', ((await transaction.get<number>('taken')) ?? 0) + (data as number));
      transaction.publish('stock.taken', data);
    });
    await service.start();
    const [kept] = (await storage.get('service/stock/subscriptions')) as never as [
      { id: string; secrets: readonly { text: string }[] },
    ];
    const deliver = async (sequence: number, data: number): Promise<number> => {
      const fields = { id: `e-${sequence}`, type: 'order.placed', source: 'shop', subject: 'cup' };
      const line = encodeLine(makeEvent({ ...fields, data, timestamp: 0, priority: 2 }));
      const headers = sign(`${kept.id}_${sequence}`, line, kept.secrets, hostPorts.now());
      const request = new Request('https://stock.example.com/events', {
        ...{ method: 'POST', headers: { ...headers, 'content-type': 'application/json' } },
        body: line,
      });
      return (await service.handleIncomingEvent(request)).status;
    };
    // Out of order, and all of them again.
    const sequences = [2, 1, 3, 1, 3, 2];
    for (const sequence of sequences) expect(await deliver(sequence, sequence)).toBe(200);
    expect(await Promise.all([deliver(4, 4), deliver(4, 4)])).toEqual([200, 200]);
    expect(await storage.get('taken')).toBe(10);
    expect((await service.status()).counts).toMatchObject({ deliveries: 4, repeated: 4, handled: 4 });
    await expect.poll(async () => (await service.status()).waiting, { timeout: 10_000 }).toBe(0);
    const { events } = await json<{ events: { data: number; causation_id: string }[] }>(
      ask('/events?type=stock.taken'),
    );
    expect(events.map(({ data, causation_id: cause }) => [data, cause])).toEqual([
      ...[2, 1, 3, 4].map((sequence) => [sequence, `e-${sequence}`]),
    ]);
    await service.stop();
  });
});
