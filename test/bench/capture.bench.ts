/**
 * What capturing costs the page, from the call to the disk, against the plainest ways to do it and against the analytics
 * that pages use; and what becomes of a backlog. In a real Chromium on a profile on disk.
 */
import { keptFigures, type KeptFigures } from './capture-kept.ts';
import { trackerFigures, type TrackerFigures } from './capture-trackers.ts';
import { runInChromium } from './in-chromium.ts';
import type { CaptureFigures } from './pages/capture.ts';
import type { Bench, Row } from './table.ts';

/** What the page's process may grow by while it drains a backlog of any length, in MB. */
const MEMORY_MB = 256;

const bench: Bench = {
  name: 'capture',
  run: async () => [
    ...pathRows(await runInChromium<CaptureFigures>('capture')),
    ...trackerRows(await trackerFigures()),
    ...keptRows(await keptFigures()),
  ],
};

function pathRows({ page, durable, receipt }: CaptureFigures): readonly Row[] {
  return [
    {
      case: 'the page’s time an event, 1,000 in a task, against 5 µs',
      unit: 'µs',
      ours: page.ours,
      peer: 5,
      ratio: page.ours / 5,
      goal: '<=1',
    },
    {
      case: 'the same, against an array of 100 by postMessage',
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
}

function trackerRows({ burst, pace }: TrackerFigures): readonly Row[] {
  const { millrace: ours, none: _, ...peers } = burst;
  const cheapest = Math.min(...Object.values(peers));
  return [
    ...Object.entries(peers).map(([name, peer]) => ({
      case: `the main thread’s time an event, 1,000 in a task, offline, against ${name}`,
      unit: 'µs',
      ours,
      peer,
      ratio: peer / ours,
      goal: peer === cheapest ? '>=30' : '',
    })),
    {
      case: 'the main thread’s time for an event each 20 ms, 200 of them, against posthog',
      unit: 'ms',
      ours: pace.millrace,
      peer: pace.posthog,
      ratio: pace.posthog / pace.millrace,
      goal: '>=15',
    },
  ];
}

function keptRows({ captured, afterReload, afterKill, drain, grewBy }: KeptFigures): readonly Row[] {
  const kept = { unit: 'events', peer: captured, goal: '>=1' };
  return [
    {
      case: 'there after a reload, of those captured',
      ...kept,
      ours: afterReload,
      ratio: afterReload / captured,
    },
    {
      case: 'there after SIGKILL, of those captured',
      ...kept,
      ours: afterKill,
      ratio: afterKill / captured,
    },
    {
      case: `a backlog of ${captured.toLocaleString('en-US')} drained, against a loop of requests to the same edge`,
      unit: 'events/s',
      ours: drain.ours,
      peer: drain.byHand,
      ratio: drain.ours / drain.byHand,
      goal: '',
    },
    {
      case: 'what the page’s process grew by meanwhile, against what it may',
      unit: 'MB',
      ours: grewBy,
      peer: MEMORY_MB,
      ratio: grewBy / MEMORY_MB,
      goal: '<=1',
    },
  ];
}

export default bench;
