/**
 * Finds the cart again where the browser has forgotten its id: a killed browser loses the last seconds of its
 * localStorage, but nothing of the log.
 */
import type { Client } from 'millrace/browser';
import type { ShopSchemas } from './shop.ts';

/** How far back to look. */
const PAGES = 20;
const PAGE_EVENTS = 500;

/**
 * The subject of this shop's last event on this device, other than `current`; `undefined` where there is none, or
 * where it was an order, after which a cart is a new one.
 */
export async function recallCart(
  client: Client<ShopSchemas>,
  current: string,
): Promise<string | undefined> {
  let before: number | undefined;
  for (let pages = 0; pages < PAGES; pages++) {
    const page = await client.query({ direction: 'backward', before, limit: PAGE_EVENTS });
    const last = page.events.find(
      ({ event }) =>
        event.source === location.origin && event.subject !== undefined && event.subject !== current,
    );
    if (last !== undefined) return last.event.type === 'order.placed' ? undefined : last.event.subject;
    if (!page.more) return undefined;
    before = page.next;
  }
  return undefined;
}
