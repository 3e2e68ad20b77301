/**
 * Chromium throws away a database whose log it cannot read: so it may be after a kill. The journal brings back what the edge
 * does not have, and the edge has each event once, in the order of the captures.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import type { ClientStatus } from '../../workers/browser/client.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';
import { damageDatabases } from './damaged-database.ts';
import { edgeEvents } from './edge-log.ts';
import { startFaultyProxy, type FaultyProxy, type HttpFault } from './faulty-proxy.ts';
import { openSite, type Site } from './site.ts';

let folder: string;
let profile: string;
let edge: EdgeProcess;
let proxy: FaultyProxy;
/** Of a hundred requests. */
let faults: Record<HttpFault, number>;
let site: Site;
let browser: KillableBrowser;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-wiped-'));
  profile = join(folder, 'profile');
  edge = await startEdge({ stateDir: join(folder, 'state'), quiet: true });
  faults = { 'request-lost': 0, 'answer-lost': 0, 'answer-cut': 0, '500': 0, '503': 0, '429': 0 };
  proxy = await startFaultyProxy({ port: edge.port, seed: 1, percent: faults });
  site = await openSite('client', { folder: join(folder, 'site') });
  browser = await launchBrowser(profile);
});

afterEach(async () => {
  await browser.kill();
  await site[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function openTab(): Promise<Page> {
  const page = await browser.newPage();
  const query = new URLSearchParams({ endpoint: proxy.url, key: edge.keys.publishable });
  await page.goto(`${site.url}/?${query}`);
  await page.waitForFunction(() => globalThis.client !== undefined);
  return page;
}

/** Resolves with the receipt. */
function view(page: Page, path: string): Promise<void> {
  return page.evaluate(async (path) => void (await client.capture('page.viewed', { path })), path);
}

async function status(page: Page, holds: (status: ClientStatus) => boolean): Promise<ClientStatus> {
  let last: ClientStatus | undefined;
  for (const end = performance.now() + 30_000; performance.now() < end;) {
    last = await page.evaluate(() => client.status());
    if (holds(last)) return last;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`not within 30 s: ${JSON.stringify(last)}`);
}

/** Kills the browser, damages what it has of its log, and starts it again. */
async function wipe(): Promise<void> {
  await browser.kill();
  damageDatabases(profile);
  browser = await launchBrowser(profile);
}

async function pathsAtEdge(): Promise<unknown[]> {
  return (await edgeEvents(edge)).map(({ data }) => (data as { path: string }).path);
}

test('what the edge had not acknowledged is back, in its order, before what is captured next, and reaches the edge once', async () => {
  const [one, two] = [await openTab(), await openTab()];
  await view(one, '/sent');
  await status(one, ({ waiting, acknowledged }) => waiting === 0 && acknowledged === 1);
  // The edge takes the next one, and its answer never arrives.
  faults['answer-lost'] = 100;
  await view(two, '/unanswered');
  await expect.poll(pathsAtEdge, { timeout: 20_000 }).toEqual(['/sent', '/unanswered']);
  faults['request-lost'] = 100;
  const unsent = Array.from({ length: 40 }, (_, i) => `/${i}`);
  for (const [i, path] of unsent.entries()) await view(i % 2 ? one : two, path);
  expect(await status(one, ({ guarded }) => guarded)).not.toHaveProperty('wiped');

  await wipe();
  const again = await openTab();
  await view(again, '/next');
  const { wiped } = await status(again, ({ guarded }) => guarded);
  expect(wiped?.restored).toBeGreaterThanOrEqual(41);
  // Once more: what came back is guarded as before.
  await wipe();
  const last = await openTab();
  await view(last, '/last');
  proxy.calm();
  await status(last, ({ waiting, state }) => waiting === 0 && state === 'idle');
  expect(await pathsAtEdge()).toEqual(['/sent', '/unanswered', ...unsent, '/next', '/last']);
});

test('what was forgotten stays so, and so does what the visitor has decided', async () => {
  faults['request-lost'] = 100;
  const page = await openTab();
  await view(page, '/forgotten');
  await page.evaluate(() => client.forget());
  await view(page, '/kept');
  await page.evaluate(() => client.withdrawConsent());
  await wipe();
  const again = await openTab();
  await status(again, ({ state }) => state === 'withdrawn');
  proxy.calm();
  await again.evaluate(() => client.grantConsent());
  await status(again, ({ waiting, state }) => waiting === 0 && state === 'idle');
  expect(await pathsAtEdge()).toEqual(['/kept']);
});

test('what the visitor clears in the browser’s settings does not come back, whether a tab is open or not', async () => {
  faults['request-lost'] = 100;
  const page = await openTab();
  for (let i = 0; i < 20; i++) await view(page, `/cleared ${i}`);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Storage.clearDataForOrigin', { origin: site.url, storageTypes: 'all' });
  await view(page, '/kept');
  expect(await status(page, ({ committed }) => committed === 1)).not.toHaveProperty('wiped');
  await browser.kill();
  browser = await launchBrowser(profile);
  const again = await openTab();
  proxy.calm();
  await status(
    again,
    ({ waiting, committed, state }) => committed === 1 && waiting === 0 && state === 'idle',
  );
  expect(await pathsAtEdge()).toEqual(['/kept']);
});
