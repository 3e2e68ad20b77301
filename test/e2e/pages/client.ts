/** A page with a client, for a test to use. */
import { connect, type Client } from '../../../workers/browser/client.ts';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import workerUrl from '../../../workers/browser/worker.ts?worker&url';

declare global {
  var client: Client;
}

const query = new URLSearchParams(location.search);
globalThis.client = connect({
  endpoint: query.get('endpoint')!,
  key: query.get('key')!,
  worker: () => new Worker(workerUrl, { type: 'module' }),
});
