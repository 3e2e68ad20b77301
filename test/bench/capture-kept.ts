/**
 * A backlog of events, captured while nothing is pushed: whether all of it is there after a reload and after SIGKILL, and
 * how it drains to an edge that takes all that it is given.
 *
 * `BACKLOG=1000000` in the environment is the long form. Default: 100,000.
 */
import { execFileSync } from 'node:child_process';
import type { Page } from 'playwright';
import { inChromium } from './in-chromium.ts';
import { standInEdge } from './stand-in-edge.ts';
import { mustEqual } from './timing.ts';

const BACKLOG = Number(process.env['BACKLOG'] ?? 100_000);
const BY_HAND = 100_000;
const LOG = 'kept';
const SAMPLE_MS = 100;

export interface KeptFigures {
  readonly captured: number;
  readonly afterReload: number;
  readonly afterKill: number;
  /** Events a second. */
  readonly drain: { readonly ours: number; readonly byHand: number };
  /** MB that the page's process grew by while it drained, at the most. */
  readonly grewBy: number;
}

export function keptFigures(): Promise<KeptFigures> {
  const edge = standInEdge();
  return inChromium(
    'capture',
    async ({ open, alone, kill }) => {
      const first = await open();
      await first.evaluate(`globalThis.keep('${LOG}', ${BACKLOG})`);
      await first.reload();
      await first.waitForFunction('globalThis.there !== undefined');
      const afterReload = await first.evaluate<number>(`globalThis.there('${LOG}')`);
      await first.evaluate(`globalThis.keep('${LOG}-killed', ${BACKLOG})`);
      await kill();
      const afterKill = await (await open()).evaluate<number>(`globalThis.there('${LOG}-killed')`);
      const page = await open();
      const memory = await watchMemory(page);
      const drain = await alone<KeptFigures['drain']>(
        page,
        `globalThis.drains('${LOG}', ${BACKLOG}, ${BY_HAND})`,
      );
      const grewBy = memory.stop();
      mustEqual(edge.events, BACKLOG + BY_HAND, 'events at the edge');
      return { captured: BACKLOG, afterReload, afterKill, drain, grewBy };
    },
    { answer: edge.answer },
  );
}

/** Watches the renderers' resident memory, the workers' included. */
async function watchMemory(page: Page): Promise<{ stop(): number }> {
  const session = await page.context().browser()!.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const pids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  const before = residentMb(pids);
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, residentMb(pids))), SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      return most - before;
    },
  };
}

function residentMb(pids: readonly number[]): number {
  const sizes = execFileSync('ps', ['-o', 'rss=', '-p', pids.join(',')], { encoding: 'utf8' });
  return sizes.split('\n').reduce((sum, kilobytes) => sum + Number(kilobytes) / 1024, 0);
}
