/** A cart, event-sourced: the same code in a tab, offline, and in a Durable Object. */
// #region cart
import { EventStore, hostPorts, Repository, type Decider, type Draft, type Storage } from 'millrace';

type CartEvent =
  | Draft<'product.added', { productId: string; quantity: number; price: number }>
  | Draft<'product.removed', { productId: string }>
  | Draft<'order.placed', { total: number }>;

type CartCommand =
  | { do: 'add'; productId: string; quantity: number; price: number }
  | { do: 'remove'; productId: string }
  | { do: 'place order' };

interface Cart {
  readonly lines: Readonly<Record<string, number>>;
  readonly placed: boolean;
}

export const cart: Decider<Cart, CartCommand, CartEvent> & { name: string } = {
  name: 'cart',
  initialState: () => ({ lines: {}, placed: false }),
  decide(command, { lines, placed }) {
    if (placed) throw new Error('the order is placed');
    if (command.do === 'add') {
      const { productId, quantity, price } = command;
      return { type: 'product.added', data: { productId, quantity, price } };
    }
    if (command.do === 'remove') {
      if (!(command.productId in lines)) return [];
      return { type: 'product.removed', data: { productId: command.productId } };
    }
    const total = Object.values(lines).reduce((sum, price) => sum + price, 0);
    if (total === 0) throw new Error('the cart is empty');
    return { type: 'order.placed', data: { total } };
  },
  evolve({ lines, placed }, { type, data }) {
    if (type === 'order.placed') return { lines, placed: true };
    const { [data.productId]: before = 0, ...others } = lines;
    if (type === 'product.removed') return { lines: others, placed };
    return { lines: { ...others, [data.productId]: before + data.quantity * data.price }, placed };
  },
};

export function openCarts(storage: Storage) {
  const store = new EventStore(storage);
  return new Repository(store, cart, { source: 'shop', ports: hostPorts });
}
// #endregion
