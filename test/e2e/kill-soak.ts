/**
 * Kills a browser again and again while its tabs capture, over a network that fails, and compares what had a receipt with
 * what the edge has. Receipts are reported to a server as they come, so that they outlive the browser that had them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { startEdge } from '../../demo/edge-process.ts';
import type { WireEvent } from '../../src/event/wire.ts';
import type { Wiped } from '../../workers/browser/worker-api.ts';
import type { ProducerStatement } from '../../workers/edge/producers.ts';
import { launchBrowser } from './browser.ts';
import { damageDatabases } from './damaged-database.ts';
import { edgeEvents, reading, type Edge } from './edge-log.ts';
import { startFaultyProxy, type FaultyProxy } from './faulty-proxy.ts';
import type { ReportedReceipt, SoakPage } from './pages/soak.ts';
import { seeded } from './seeded.ts';
import { openSite } from './site.ts';

export interface KillSoakOptions {
  readonly kills: number;
  readonly seed: number;
  /** Default: 3. */
  readonly tabs?: number;
  /** After how many of a hundred kills the log's database is damaged on disk, so that the browser throws it away. Default: 10. */
  readonly damaged?: number;
  readonly onKill?: (kill: number, receipts: number) => void;
}

export interface KillSoakReport {
  readonly kills: number;
  /** Events whose receipt was heard of. */
  readonly receipts: number;
  /** Events at the edge: those too whose receipt a kill took along. */
  readonly atEdge: number;
  /** Of the events with a receipt: not at the edge. */
  readonly lost: number;
  /** In which lives they were captured. */
  readonly lostOf: readonly string[];
  /** Events at the edge more than once. */
  readonly doubled: number;
  /** Events at the edge before one that stands before them in the device's log, or was captured before them in their tab. */
  readonly outOfOrder: number;
  /** How often the browser threw the log's database away, and how many events the journal brought back. */
  readonly wiped: number;
  readonly restored: number;
  /** What went wrong in the tabs, as their status said. */
  readonly troubles: readonly string[];
  readonly faults: FaultyProxy['counts'];
  /** What the edge states of each producer. */
  readonly statements: readonly ProducerStatement[];
}

const PERCENT = { 'request-lost': 6, 'answer-lost': 10, 'answer-cut': 5, '500': 4, '503': 4, '429': 2 };
/** Of a browser's life, after its first tab was opened. */
const LIFE_MS = { least: 20, most: 2_500 };
const OPEN_LIMIT_MS = 30_000;
const DRAIN_LIMIT_MS = 120_000;

export async function killSoak({
  kills,
  seed,
  tabs = 3,
  damaged = 10,
  onKill,
}: KillSoakOptions): Promise<KillSoakReport> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-soak-'));
  const receipts: ReportedReceipt[] = [];
  const troubles: string[] = [];
  const wiped = new Map<number, number>();
  const profile = join(folder, 'profile');
  const random = seeded(seed);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const edge = await startEdge({ stateDir: join(folder, 'state'), quiet: true });
  stack.defer(() => edge.kill());
  const site = stack.use(
    await openSite('soak', {
      folder: join(folder, 'site'),
      onPost: (path, body) => {
        if (path === '/trouble') troubles.push(body);
        else if (path === '/wiped') noteWiped(wiped, JSON.parse(body) as Wiped);
        else receipts.push(...(JSON.parse(body) as ReportedReceipt[]));
      },
    }),
  );
  const proxy = stack.use(await startFaultyProxy({ port: edge.port, seed, percent: PERCENT }));
  const query = new URLSearchParams({ endpoint: proxy.url, key: edge.keys.publishable });
  const address = `${site.url}/?${query}`;
  for (let kill = 1; kill <= kills; kill++) {
    await live(profile, { address, tabs, life: kill, forMs: between(random()) });
    if (random() * 100 < damaged) damageDatabases(profile);
    onKill?.(kill, receipts.length);
  }
  proxy.calm();
  await drain(profile, address);
  const events = await edgeEvents(edge);
  return {
    kills,
    ...compare(receipts, events),
    wiped: wiped.size,
    restored: [...wiped.values()].reduce((sum, count) => sum + count, 0),
    troubles,
    faults: proxy.counts,
    statements: await Promise.all([...proxy.producers].map((id) => statement(edge, id))),
  };
}

/** Tabs of one life tell of the same; a count that grew later is the whole. */
function noteWiped(wiped: Map<number, number>, { at, restored }: Wiped): void {
  wiped.set(at, Math.max(restored, wiped.get(at) ?? 0));
}

const between = (chance: number): number => LIFE_MS.least + chance * (LIFE_MS.most - LIFE_MS.least);

interface Life {
  /** Of the page. */
  readonly address: string;
  readonly tabs: number;
  readonly life: number;
  readonly forMs: number;
}

/** One browser, from its start to its SIGKILL. */
async function live(profile: string, { address, tabs, life, forMs }: Life): Promise<void> {
  const browser = await launchBrowser(profile);
  const opened = Array.from({ length: tabs }, async (_, tab) => {
    const page = await browser.newPage();
    await page.goto(`${address}&captures&tab=${life}-${tab}`);
  });
  // A tab that is opened when its browser is killed may never say so: nobody waits for it.
  for (const open of opened) open.catch(() => {});
  try {
    await within(Promise.race(opened), OPEN_LIMIT_MS);
    await new Promise((done) => setTimeout(done, forMs));
  } finally {
    await browser.kill();
  }
}

async function within(task: Promise<unknown>, limitMs: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not within ${limitMs} ms`)), limitMs);
  await Promise.race([task, late.promise]).finally(() => clearTimeout(timer));
}

/** A last tab pushes all that is left. */
async function drain(profile: string, address: string): Promise<void> {
  const browser = await launchBrowser(profile);
  try {
    const page = await browser.newPage();
    await page.goto(address);
    await drained(page);
  } finally {
    await browser.kill();
  }
}

async function drained(page: Page): Promise<void> {
  await page.waitForFunction(
    () => {
      const { soak } = globalThis as unknown as { soak?: SoakPage };
      const status = soak?.status();
      return status?.state === 'idle' && status.leader && status.committed > 0 && status.waiting === 0;
    },
    undefined,
    { timeout: DRAIN_LIMIT_MS, polling: 50 },
  );
}

async function statement({ url, keys }: Edge, producer: string): Promise<ProducerStatement> {
  const response = await fetch(`${url}/sync/producers/${producer}`, { headers: reading(keys) });
  return (await response.json()) as ProducerStatement;
}

/** The oracle: lists and maps. */
export function compare(
  receipts: readonly ReportedReceipt[],
  events: readonly Pick<WireEvent, 'id' | 'data'>[],
): Pick<KillSoakReport, 'receipts' | 'atEdge' | 'lost' | 'lostOf' | 'doubled' | 'outOfOrder'> {
  const there = new Set(events.map(({ id }) => id));
  const places = new Map(receipts.map(([id, tab, , position]) => [id, placeOf(tab, position)]));
  const numbers = new Map<string, number>();
  let last = 0;
  let outOfOrder = 0;
  for (const { id, data } of events) {
    const { tab, number } = data as { tab: string; number: number };
    const place = places.get(id) ?? last;
    if (place < last || number <= (numbers.get(tab) ?? 0)) outOfOrder++;
    last = Math.max(last, place);
    numbers.set(tab, Math.max(number, numbers.get(tab) ?? 0));
  }
  const lost = receipts.filter(([id]) => !there.has(id));
  return {
    receipts: places.size,
    atEdge: events.length,
    lost: lost.length,
    lostOf: [...new Set(lost.map(([, tab]) => tab))],
    doubled: events.length - there.size,
    outOfOrder,
  };
}

/** A log that was thrown away begins anew, between two lives: an event's place is its position within its life. */
function placeOf(tab: string, position: number): number {
  return parseInt(tab) * 1e9 + position;
}
