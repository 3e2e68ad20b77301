/**
 * What our client and the analytics that pages use take of the main thread, as Chromium counts it: all the tasks of the
 * page, those that come later included.
 */
import type { CDPSession, Page } from 'playwright';
import { inChromium, type BenchBrowser } from './in-chromium.ts';
import { standInEdge } from './stand-in-edge.ts';
import { median } from './timing.ts';
import type { TrackerBench, TrackerName } from './pages/trackers.ts';

const BURST = 1_000;
const PACE = { count: 200, everyMs: 20, rounds: 1 };
/** What is put off is done by then. */
const SETTLE_MS = 800;
const ROUNDS = 3;
/** A tracker that takes longer is measured once. */
const SLOW_MS = 1_000;

export interface TrackerFigures {
  /** µs of the main thread an event, of 1,000 in one task while the page is offline; the tab's own idle time taken off. */
  readonly burst: Readonly<Record<TrackerName, number>>;
  /** ms of the main thread for 200 events, one each 20 ms, online; the timer's own time taken off. */
  readonly pace: { readonly millrace: number; readonly posthog: number };
}

/** Those that tell of each event. The others keep a bounded part of them. */
const COUNTED: ReadonlySet<TrackerName> = new Set(['millrace', 'posthog', 'segment']);

const NAMES: readonly TrackerName[] = ['millrace', 'snowplow', 'posthog', 'segment', 'rudderstack'];

export function trackerFigures(): Promise<TrackerFigures> {
  const edge = standInEdge();
  return inChromium(
    'trackers',
    async (browser) => {
      const idle = await burst(browser, 'none');
      const costs: [string, number][] = [['none', 0]];
      for (const name of NAMES)
        costs.push([name, ((await burst(browser, name)) - idle) * (1_000 / BURST)]);
      const paces: Record<'none' | 'millrace' | 'posthog', number[]> = {
        none: [],
        millrace: [],
        posthog: [],
      };
      for (let round = 0; round < PACE.rounds; round++)
        for (const name of ['none', 'millrace', 'posthog'] as const)
          paces[name].push(await pace(browser, name));
      const timer = median(paces.none);
      return {
        burst: Object.fromEntries(costs) as Record<TrackerName, number>,
        pace: {
          millrace: median(paces.millrace) - timer,
          posthog: median(paces.posthog) - timer,
        },
      };
    },
    { answer: edge.answer },
  );
}

/** ms of the main thread for a burst and what comes of it, offline. */
async function burst(browser: BenchBrowser, name: TrackerName): Promise<number> {
  const { page, mainThreadMs } = await openTracker(browser, name);
  await page.context().setOffline(true);
  const took: number[] = [];
  do {
    const before = await mainThreadMs();
    await page.evaluate(`globalThis.bench.burst(${BURST})`);
    await page.waitForTimeout(SETTLE_MS);
    took.push((await mainThreadMs()) - before);
  } while (took.length < ROUNDS && took[0]! < SLOW_MS);
  await mustHaveTaken(page, name, COUNTED.has(name) ? BURST * took.length : 1);
  await page.context().setOffline(false);
  await page.close();
  return median(took);
}

/** ms of the main thread at a person's pace. */
async function pace(browser: BenchBrowser, name: TrackerName): Promise<number> {
  const { page, mainThreadMs } = await openTracker(browser, name);
  const before = await mainThreadMs();
  await page.evaluate(`globalThis.bench.pace(${PACE.count}, ${PACE.everyMs})`);
  await page.waitForTimeout(SETTLE_MS);
  const took = (await mainThreadMs()) - before;
  await mustHaveTaken(page, name, PACE.count);
  await page.close();
  return took;
}

async function openTracker(browser: BenchBrowser, name: TrackerName) {
  const page = await browser.open();
  await page.evaluate(`globalThis.bench.load('${name}')`);
  // What it does once it is loaded is not counted.
  await page.waitForTimeout(SETTLE_MS);
  const session = await page.context().newCDPSession(page);
  // The thread's own processor time: what else the machine does is not in it.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return { page, mainThreadMs: () => mainThread(session) };
}

async function mainThread(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  const tasks = metrics.find(({ name }) => name === 'TaskDuration');
  if (tasks === undefined) throw new Error('Chromium does not say how long its tasks took.');
  return tasks.value * 1_000;
}

/** A tracker that took nothing costs nothing: it is no peer. Some keep a part only of what they take. */
async function mustHaveTaken(page: Page, name: TrackerName, least: number): Promise<void> {
  if (name === 'none') return;
  const taken = await page.evaluate<ReturnType<TrackerBench['taken']>>('globalThis.bench.taken()');
  if (taken < least) throw new Error(`${name} took ${taken} events, at least ${least} expected`);
}
