/**
 * The page's client. Capturing costs the page next to nothing and returns at once; the worker behind it keeps the log,
 * which all tabs of the origin share, and pushes it to the edge.
 *
 * @example
 * const client = connect({ endpoint: 'https://events.example.com', catalogue: shop });
 * client.capture('page.viewed', { path: location.pathname });
 * await client.capture('order.placed', { orderId: 'o-1', total: 30 }); // committed: no kill loses it now
 */
import type { EventSchemas } from '../../src/event/catalogue.ts';
import type { Client, ConnectOptions } from './client-contract.ts';
import { PageClient } from './page-client.ts';

export type { Committed, Receipt } from './capture-buffer.ts';
export type { Client, ClientStatus, ConnectOptions, TraceableClient } from './client-contract.ts';
export type { ClientState, Forgotten, LogStatus, Windows } from './worker-api.ts';
export type { EventOptions } from '../../src/event/factory.ts';
export type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
export type { RedriveOptions } from '../../src/sync/redrive.ts';

/** Returns at once: what is captured before the log is open waits for it. */
export function connect<const Schemas extends EventSchemas = {}>(
  options: ConnectOptions<Schemas>,
): Client<Schemas> {
  return new PageClient({ ...options, worker: options.worker ?? defaultWorker });
}

/** In this form bundlers know a worker and bundle it: they take the source in place of the built file. */
function defaultWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'millrace' });
}
