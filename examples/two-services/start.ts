/**
 * Two services and the edge, with one command: `npm run example:services`. Ten orders are placed, and each goes from the
 * till over orders and shipping and back. Ends when all of them are completed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventClient } from 'millrace/client';
import { startEdge } from '../../demo/edge-process.ts';
import { serviceProcess } from './processes.ts';
import { shop } from './shop.ts';

const ORDERS = 10;

// The edge may deliver to this machine: in production it delivers to public addresses alone.
process.env['CLOUDFLARE_INCLUDE_PROCESS_ENV'] = 'true';
process.env['MILLRACE_ALLOW_LOOPBACK'] = 'true';

const folder = mkdtempSync(join(tmpdir(), 'millrace-services-'));
const edge = await startEdge({ stateDir: join(folder, 'edge'), quiet: true });
const given = { endpoint: edge.url, key: edge.keys.admin, folder };
const services = await Promise.all([
  serviceProcess({ name: 'orders', ...given }),
  serviceProcess({ name: 'shipping', ...given }),
]);
try {
  for (const service of services) service.start();
  await Promise.all(services.map((service) => service.listening()));
  const till = new EventClient({
    endpoint: edge.url,
    key: edge.keys.admin,
    source: 'till',
    catalogue: shop,
  });
  const placed = Array.from({ length: ORDERS }, (_, i) => ({
    type: 'order.placed' as const,
    data: { orderId: `o-${i + 1}`, quantity: 1 },
    subject: `o-${i + 1}`,
  }));
  await till.publishEvents(placed);
  let sent = 0;
  for await (const { event } of till.subscribeToEvents(shop.types, { after: 'start' })) {
    console.log(`${event.source.padEnd(8)} ${event.type.padEnd(15)} ${event.data.orderId}`);
    if (event.type === 'parcel.sent' && ++sent === ORDERS) break;
  }
} finally {
  await Promise.all(services.map((service) => service.kill('SIGTERM')));
  await edge.stop();
  rmSync(folder, { recursive: true, force: true });
}
