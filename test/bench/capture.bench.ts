/** What capturing costs the page, from the call to the disk, in a real Chromium on a profile on disk. */
import { runInChromium } from './in-chromium.ts';
import type { CaptureFigures } from './pages/capture.ts';
import type { Bench } from './table.ts';
import { mustEqual } from './timing.ts';

const bench: Bench = {
  name: 'capture',
  async run() {
    const { page, durable, receipt, kept } = await runInChromium<CaptureFigures>('capture');
    mustEqual(kept.there, kept.captured, 'events there for a client that comes later');
    return [
      {
        case: 'the page’s time an event, 1,000 in a task, against an array of 100 by postMessage',
        unit: 'µs',
        ours: page.ours,
        peer: page.postMessage,
        ratio: page.ours / page.postMessage,
        goal: '<=3',
      },
      {
        case: 'the same, against a Comlink call an event',
        unit: 'µs',
        ours: page.ours,
        peer: page.comlink,
        ratio: page.comlink / page.ours,
        goal: '>=5',
      },
      {
        case: 'from the page to the disk, against Comlink with a transaction an event',
        unit: 'events/s',
        ours: durable.ours,
        peer: durable.alone,
        ratio: durable.ours / durable.alone,
        goal: '>=100',
      },
      {
        case: 'durable receipt of one event, p50, against one raw transaction in the page',
        unit: 'ms',
        ours: receipt.ours,
        peer: receipt.raw,
        ratio: receipt.ours / receipt.raw,
        goal: '<=2',
      },
    ];
  },
};

export default bench;
