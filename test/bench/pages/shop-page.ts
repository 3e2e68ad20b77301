/** What every page of the capture bench says of its visitors, and the client that it says it to. */
import { connect, type Client } from '../../../workers/browser/client.ts';
import type { ConnectOptions } from '../../../workers/browser/client-contract.ts';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import workerUrl from '../../../workers/browser/worker.ts?worker&url';

const AGENT = navigator.userAgent;

export const visit = (n: number) => ({
  path: `/articles/${n % 5_000}`,
  status: 200,
  bytes: n,
  agent: AGENT,
});

let clients = 0;

/** With a log of its own unless one is named. */
export function openClient(options: Partial<ConnectOptions> = {}): Client {
  return connect({
    endpoint: location.origin,
    log: `bench-${++clients}`,
    sync: false,
    worker: () => new Worker(workerUrl, { type: 'module' }),
    ...options,
  });
}

export function captureVisits(client: Client, count: number): void {
  for (let n = 0; n < count; n++) client.capture('page.viewed', visit(n));
}
