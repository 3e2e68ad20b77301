/**
 * The shop's events. Each is something that a visitor really did; `correlationId` is the visit, `subject` the cart.
 */
import * as z from 'zod/mini';
import { defineEvents, type Catalogue } from 'millrace';

// The page's content security policy forbids compiling code at run time.
z.config({ jitless: true });

const productId = z.string().check(z.minLength(1), z.maxLength(64));
const quantity = z.int().check(z.minimum(1), z.maximum(999));
/** Cents: money is never a fraction. */
const cents = z.int().check(z.minimum(0));

export const shop = defineEvents(
  {
    'page.viewed': z.object({ path: z.string().check(z.minLength(1)) }),
    'product.viewed': z.object({ productId, priceCents: cents }),
    'product.added': z.object({ productId, quantity, priceCents: cents }),
    'product.removed': z.object({ productId, quantity }),
    'order.placed': z.object({
      orderId: z.string(),
      totalCents: cents,
      lines: z.array(z.object({ productId, quantity, priceCents: cents })).check(z.minLength(1)),
    }),
  },
  { strict: true },
);

/** The types of data, by type of event. */
export type ShopSchemas = typeof shop extends Catalogue<infer Schemas> ? Schemas : never;

export type ShopEventType = (typeof shop.types)[number];
