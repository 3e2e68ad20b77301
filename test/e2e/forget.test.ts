/** A visitor who asks to be forgotten: in all tabs, at the edge, and over a network that is away and a browser that is killed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';
import { edgeEvents } from './edge-log.ts';
import { startProxy, type Proxy } from './proxy.ts';
import { openSite, type Site } from './site.ts';

let folder: string;
let edge: EdgeProcess;
let proxy: Proxy;
let site: Site;
let browser: KillableBrowser;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-forget-'));
  edge = await startEdge({ stateDir: join(folder, 'state'), quiet: true });
  proxy = await startProxy(edge.port);
  site = await openSite('client', { folder: join(folder, 'site') });
  browser = await launchBrowser(join(folder, 'profile'));
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

function view(page: Page, path: string): Promise<void> {
  return page.evaluate(async (path) => void (await client.capture('page.viewed', { path })), path);
}

/** What the edge has of each event, in its order: its path, or that it was erased. */
async function atEdge(): Promise<unknown[]> {
  const events = await edgeEvents(edge);
  return events.map(({ data }) => (data as { path?: string }).path ?? data);
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 40_000; performance.now() < end;) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`not within 40 s: ${what}`);
}

const ERASED = { $erased: true };

test('a device that is forgotten is erased at the edge too, and goes on as somebody new', async () => {
  const [one, two] = [await openTab(), await openTab()];
  for (const path of ['/1', '/2']) await view(one, path);
  await view(two, '/3');
  await until(async () => (await atEdge()).length === 3, 'all three are at the edge');
  const ids = (await edgeEvents(edge)).map(({ id }) => id);
  expect(await two.evaluate(() => client.forget())).toEqual({ edge: 'erased' });
  expect(await atEdge()).toEqual([ERASED, ERASED, ERASED]);
  expect(
    (await edgeEvents(edge)).map(({ id }) => id),
    'each where it was',
  ).toEqual(ids);
  await view(one, '/4');
  await view(two, '/5');
  await until(async () => (await atEdge()).length === 5, 'what comes later is at the edge');
  expect((await atEdge()).slice(0, 3)).toEqual([ERASED, ERASED, ERASED]);
  expect((await atEdge()).slice(3).toSorted()).toEqual(['/4', '/5']);
});

test('what the edge is to erase is not forgotten with the network away and the browser killed', async () => {
  const page = await openTab();
  await view(page, '/sent');
  await until(async () => (await atEdge()).length === 1, 'it is at the edge');
  proxy.cut();
  await view(page, '/unsent');
  await page.evaluate(() => client.withdrawConsent());
  expect(await page.evaluate(() => client.forget())).toEqual({ edge: 'pending' });
  await browser.kill();
  proxy.restore();
  browser = await launchBrowser(join(folder, 'profile'));
  const again = await openTab();
  await until(async () => (await atEdge())[0] !== '/sent', 'the edge is asked again');
  expect(await atEdge(), 'and the unsent one never came').toEqual([ERASED]);
  expect(await again.evaluate(() => client.status().state)).toBe('withdrawn');
});
