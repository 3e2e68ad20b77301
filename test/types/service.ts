/** What must not compile on a client and a service, and what must. */
import { z } from 'zod/mini';
import { defineEvents, openMemory, type Event } from 'millrace';
import { EventClient } from 'millrace/client';
import { EventService } from 'millrace/service';

const shop = defineEvents({
  'order.placed': z.object({ total: z.number() }),
  'page.viewed': z.object({ path: z.string() }),
});
const edge = { endpoint: 'https://edge.test', key: 'k' };
const client = new EventClient({ ...edge, source: 'till', catalogue: shop });
const free = new EventClient({ ...edge, source: 'till' });

void client.publishEvent('order.placed', { total: 1 });
// @ts-expect-error data of another type
void client.publishEvent('order.placed', { path: '/' });
void client.publishEvents([{ type: 'order.placed', data: { total: 1 }, subject: 'o-1' }]);
// @ts-expect-error data of another type
void client.publishEvents([{ type: 'order.placed', data: { path: '/' } }]);
void free.publishEvents([{ type: 'anything.else', data: 1 }]);

client.subscribeToEvents('order.placed', ({ data }) => data.total.toFixed());
client.subscribeToEvents(['order.placed', 'page.viewed'], (event) =>
  event.type === 'page.viewed' ? event.data.path : event.data.total,
);
client.subscribeToEvents('order.*', (event) => (event.type === 'order.placed' ? event.data.total : 0));
client.subscribeToEvents({ subject: 'o-1' }, (event: Event) => event.data);
// @ts-expect-error a field that the data does not have
client.subscribeToEvents('order.placed', ({ data }) => data.path);
// @ts-expect-error a callback needs no handler
void client.subscribeToEvents('order.placed', 'https://shop.test', (event) => event);
export async function totals(): Promise<number> {
  let total = 0;
  for await (const { event } of client.subscribeToEvents('order.placed', { after: 'start' }))
    total += event.data.total;
  await client.replay('page.viewed', ({ data }) => data.path.length);
  // @ts-expect-error a field that the data does not have
  await client.replay('page.viewed', ({ data }) => data.total);
  const { secret } = await client.subscribeToEvents('order.placed', 'https://shop.test/hook');
  return total + (secret?.length ?? 0);
}

const service = new EventService({
  ...{ ...edge, name: 'shop', callbackUrl: 'https://shop.test', storage: openMemory(), catalogue: shop },
});
service.registerHandler('order.placed', async ({ data }, transaction) => {
  const total = (await transaction.get<number>('total')) ?? 0;
  transaction.put('total', total + data.total);
  transaction.publish('page.viewed', { path: '/thanks' });
  // @ts-expect-error data of another type
  transaction.publish('page.viewed', { total: 1 });
});
service.registerHandler('order.*', (event) => event.type);
// @ts-expect-error a type that the catalogue does not name
service.registerHandler('order.plcaed', () => {});
// @ts-expect-error a field that the data does not have
service.registerHandler('order.placed', ({ data }) => data.path);
// @ts-expect-error functions are no values of a storage
service.registerHandler('order.placed', (_, transaction) => transaction.put('total', () => 1));
void service.publishEvent('order.placed', { total: 1 });
// @ts-expect-error data of another type
void service.publishEvent('order.placed', { path: '/' });

const untyped = new EventService({
  ...{ ...edge, name: 'shop', callbackUrl: 'https://shop.test', storage: openMemory() },
});
untyped.registerHandler({ catalogue: shop, type: 'order.placed' }, ({ data }) => data.total);
untyped.registerHandler('anything.else', (event: Event) => event.data);
