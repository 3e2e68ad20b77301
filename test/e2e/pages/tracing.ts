/** A shop's page whose clicks begin traces: what its button does is told as caused by the click. */
import { connect } from '../../../workers/browser/client.ts';
import { autocapture } from '../../../workers/browser/autocapture/autocapture.ts';
import { OtlpTracer, pageTracing } from '../../../workers/browser/tracing.ts';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import workerUrl from '../../../workers/browser/worker.ts?worker&url';

const query = new URLSearchParams(location.search);
const tracer = new OtlpTracer({ url: query.get('collector')!, service: 'shop-page' });
const client = connect({
  endpoint: query.get('endpoint')!,
  key: query.get('key')!,
  trace: pageTracing({ tracer }),
  worker: () => new Worker(workerUrl, { type: 'module' }),
});
autocapture(client, { clicks: true });
document
  .querySelector('#add')!
  .addEventListener('click', () => client.capture('product.added', { productId: 'espresso' }));
Object.assign(globalThis, { shown: { captureAlone: () => client.capture('page.idled', {}) } });
