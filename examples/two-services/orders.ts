/** The service that keeps orders: it confirms what is placed, and completes what is sent. */
import type { Storage } from 'millrace';
import { EventService, type EventServiceOptions } from 'millrace/service';
import { shop } from './shop.ts';

export type ServiceOptions = Pick<EventServiceOptions, 'endpoint' | 'key' | 'callbackUrl'> & {
  readonly storage: Storage;
};

/** How far an order is, and how often it came there: once, if all is well. */
export interface Order {
  readonly confirmed: number;
  readonly completed: number;
}

const NEW: Order = { confirmed: 0, completed: 0 };

export function openOrders(options: ServiceOptions) {
  const service = new EventService({ name: 'orders', catalogue: shop, from: 'start', ...options });
  service.registerHandler('order.placed', async ({ data, subject }, transaction) => {
    const { confirmed, completed } = (await transaction.get<Order>(`orders/${data.orderId}`)) ?? NEW;
    transaction.put(`orders/${data.orderId}`, { confirmed: confirmed + 1, completed });
    transaction.publish('order.confirmed', data, { subject });
  });
  service.registerHandler('parcel.sent', async ({ data }, transaction) => {
    const { confirmed, completed } = (await transaction.get<Order>(`orders/${data.orderId}`)) ?? NEW;
    transaction.put(`orders/${data.orderId}`, { confirmed, completed: completed + 1 });
    const total = (await transaction.get<number>('completed')) ?? 0;
    transaction.put('completed', total + 1);
  });
  return service;
}
