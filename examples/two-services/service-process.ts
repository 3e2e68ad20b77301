/**
 * One service as a process: `node service-process.ts orders` or `… shipping`, told where everything is by its
 * environment. It ends in good order on SIGTERM, and may be killed at any time.
 */
import { openNodeSqlite } from 'millrace/node';
import { serve } from './node-server.ts';
import { openOrders } from './orders.ts';
import { openShipping } from './shipping.ts';

const open = { orders: openOrders, shipping: openShipping };

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set.`);
  return value;
}

const name = process.argv[2] as keyof typeof open;
const port = Number(given('PORT'));
const storage = openNodeSqlite(given('DATABASE'));
const service = open[name]({
  endpoint: given('ENDPOINT'),
  key: given('KEY'),
  callbackUrl: `http://127.0.0.1:${port}/events`,
  storage,
});

/** Beside the deliveries, what the service says of itself. */
async function handle(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/status') return Response.json(await service.status());
  return service.handleIncomingEvent(request);
}

// It listens first: when it subscribes, the edge asks it for its consent.
const server = await serve(handle, port);
process.once('SIGTERM', () => {
  void service.stop().then(async () => {
    server.close();
    server.closeAllConnections();
    await storage.close();
  });
});
await service.start();
console.log(`${name} listens`);
