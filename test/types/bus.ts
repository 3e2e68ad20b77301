/** What must not compile on a bus, and what must. */
import { z } from 'zod/mini';
import {
  createEventFactory,
  defineEvents,
  EventBus,
  hostPorts,
  PubSub,
  type Event,
  type PublishReport,
} from 'millrace';

const shop = defineEvents({
  'order.placed': z.object({ total: z.number() }),
  'page.viewed': z.object({ path: z.string() }),
});
const make = createEventFactory({ source: 'shop', ports: hostPorts, catalogue: shop });
const bus = new EventBus({ catalogue: shop });

bus.subscribe('order.placed', (event) => event.data.total.toFixed(2));
bus.subscribe('order.placed', {
  handle: (event) => event.data.total,
  canHandle: ({ data }) => data.total > 1,
});
bus.subscribe('order.placed', () => {}, { filter: (event) => event.data.total > 1 });
bus.subscribe('order.*', (event) => (event.type === 'page.viewed' ? event.data.path : event.data.total));
// @ts-expect-error a type that the catalogue does not name
bus.subscribe('order.plcaed', () => {});
// @ts-expect-error a field that the payload does not have
bus.subscribe('order.placed', (event) => event.data.path);
// @ts-expect-error a handler of another payload
bus.subscribe('order.placed', (event: Event<'order.placed', { total: string }>) => event.data.total);
// @ts-expect-error a handler object of another type
bus.subscribe('order.placed', {
  handle: (event: Event<'page.viewed', { path: string }>) => event.data.path,
});
// @ts-expect-error a filter of another payload
bus.subscribe('order.placed', () => {}, { filter: (event) => event.data.path === '' });
// @ts-expect-error a pattern's events are not of one type
bus.subscribe('order.*', (event) => event.data.total);

bus.publish(make('order.placed', { total: 1 }));
// @ts-expect-error a type that the catalogue does not name
bus.publish(make('stock.counted', {}));
// @ts-expect-error a payload that the schema refuses
bus.publish({ ...make('order.placed', { total: 1 }), data: { total: '1' } });
// @ts-expect-error in a list as well
bus.publishAll([make('stock.counted', {})]);
// @ts-expect-error a report may be a promise: it must be awaited
export const report: PublishReport = bus.publish(make('order.placed', { total: 1 }));

export const waited: Promise<Event<'order.placed', { total: number }>> = bus.waitFor('order.placed');
// @ts-expect-error another payload
export const wrong: Promise<Event<'order.placed', { total: string }>> = bus.waitFor('order.placed');
for await (const event of bus.events('page.viewed', { policy: 'wait' })) event.data.path.trim();
// @ts-expect-error a policy must be declared
bus.events('page.viewed', {});
bus.use((event, next) => (event.type === 'page.viewed' ? undefined : next(event)));
// @ts-expect-error a middleware passes on events of the catalogue alone
bus.use((event, next) => next({ ...event, type: 'stock.counted' }));

const untyped = new EventBus();
untyped.subscribe('anything', (event) => event.type.trim());
untyped.publish(make('stock.counted', {}));
untyped.subscribe({ catalogue: shop, type: 'order.placed' }, (event) => event.data.total.toFixed(2));
// @ts-expect-error a type that the entry's catalogue does not name
untyped.subscribe({ catalogue: shop, type: 'order.plcaed' }, () => {});
// @ts-expect-error a field that the entry's payload does not have
untyped.subscribe({ catalogue: shop, type: 'order.placed' }, (event) => event.data.path);

const topics = new PubSub({ catalogue: shop });
topics.subscribe('eu.#', (event) => (event.type === 'page.viewed' ? event.data.path : event.data.total));
topics.publish('eu.orders', make('order.placed', { total: 1 }));
// @ts-expect-error a type that the catalogue does not name
topics.publish('eu.orders', make('stock.counted', {}));
new PubSub().publish('eu.stock', make('stock.counted', {}));
