/** What the shop's services tell each other. */
import { defineEvents } from 'millrace';
import { z } from 'zod/mini';

const order = z.object({ orderId: z.string(), quantity: z.number() });

export const shop = defineEvents({
  'order.placed': order,
  'order.confirmed': order,
  'parcel.sent': order,
});

export type Shop = typeof shop;
