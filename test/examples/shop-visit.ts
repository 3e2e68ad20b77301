/** One visit to the shop, whatever the log stands on: what the cart's example promises. */
import { expect } from 'vitest';
import type { Storage } from 'millrace';
import { openCarts } from './cart.ts';

/** `open` opens the same log each time. */
export async function visitShop(open: () => Storage | Promise<Storage>): Promise<void> {
  const before = await open();
  const carts = openCarts(before);
  await carts.execute('1', { do: 'add', productId: 'espresso', quantity: 2, price: 9 });
  await carts.execute('1', { do: 'add', productId: 'filter', quantity: 1, price: 12 });
  // Another tab of the same visitor, with a cache of its own.
  await openCarts(before).execute('1', { do: 'remove', productId: 'filter' });
  await carts.execute('1', { do: 'place order' });
  await expect(carts.execute('1', { do: 'place order' })).rejects.toThrow('the order is placed');
  await before.close();

  const later = await openCarts(await open()).get('1');
  expect(later.state).toEqual({ lines: { espresso: 18 }, placed: true });
  expect(later.version).toBe(4);
}
