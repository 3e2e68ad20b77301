/** The service that sends parcels: it takes from one stock, whichever order comes first. */
import { EventService } from 'millrace/service';
import type { ServiceOptions } from './orders.ts';
import { shop } from './shop.ts';

export function openShipping(options: ServiceOptions) {
  const service = new EventService({ name: 'shipping', catalogue: shop, from: 'start', ...options });
  service.registerHandler('order.confirmed', async ({ data, subject }, transaction) => {
    const taken = (await transaction.get<number>('taken')) ?? 0;
    transaction.put('taken', taken + data.quantity);
    const parcel = `parcels/${data.orderId}`;
    transaction.put(parcel, ((await transaction.get<number>(parcel)) ?? 0) + 1);
    transaction.publish('parcel.sent', data, { subject });
  });
  return service;
}
