/** What must not compile, and what must. */
import { z } from 'zod/mini';
import { createEventFactory, defineEvents, hostPorts } from 'millrace';

const shop = defineEvents({ 'order.placed': z.object({ total: z.number() }) });
const make = createEventFactory({ source: 'shop', ports: hostPorts, catalogue: shop });

make('order.placed', { total: 1 });
make('stock.counted', 'a type that the catalogue does not name takes any data');
// @ts-expect-error a payload that the schema refuses
make('order.placed', { total: '1' });
// @ts-expect-error a payload that lacks a field
make('order.placed', {});
// @ts-expect-error a priority that there is not
make('order.placed', { total: 1 }, { priority: 5 });
// @ts-expect-error a type without a domain
defineEvents({ viewed: z.object({}) });
const event = make('order.placed', { total: 1 });
// @ts-expect-error an event is immutable
event.type = 'order.cancelled';
export const total: number = event.data.total;
