/**
 * The tab that pushes for all is frozen, or crashes: another takes over, and what was captured is at the edge once, in
 * order. With Web Locks, and without: a page over plain HTTP, from an address that is not the machine's own, has none.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CDPSession, Page } from 'playwright';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';
import { DemoPage } from './demo-page.ts';
import { edgeEvents } from './edge-log.ts';

const HOST = 'shop.example';
const COUNT = 5;

let folder: string;
let edge: EdgeProcess;
let browser: KillableBrowser;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-takeover-'));
  edge = await startEdge({ stateDir: join(folder, 'state'), quiet: true });
  browser = await launchBrowser(join(folder, 'profile'), [
    `--host-resolver-rules=MAP ${HOST} 127.0.0.1`,
  ]);
});

afterEach(async () => {
  await browser.kill();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

interface Tab {
  readonly page: Page;
  readonly devtools: CDPSession;
  /** Asks the debugger of the tab's worker. */
  readonly worker: (method: string) => Promise<unknown>;
}

async function openTab(url: string): Promise<Tab> {
  const page = await browser.newPage();
  await new DemoPage(page).open(url);
  const devtools = await page.context().newCDPSession(page);
  const attached = new Promise<string>((resolve) => {
    devtools.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
      if (targetInfo.type === 'worker') resolve(sessionId);
    });
  });
  await devtools.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  const sessionId = await attached;
  let id = 0;
  const worker = (method: string): Promise<unknown> =>
    devtools.send('Target.sendMessageToTarget', {
      sessionId,
      message: JSON.stringify({ id: ++id, method }),
    });
  await worker('Debugger.enable');
  return { page, devtools, worker };
}

/** The page by its life cycle, and its worker, which goes on in a page that is in view, by its debugger. */
async function freeze({ devtools, worker }: Tab): Promise<void> {
  await worker('Debugger.pause');
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
}

async function wake({ devtools, worker }: Tab): Promise<void> {
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  await worker('Debugger.resume');
}

const statusOf = ({ page }: Tab) => page.evaluate(() => window.millraceDemo.client.status());
const leads = async (tab: Tab): Promise<boolean> => (await statusOf(tab)).leader;

function capture({ page }: Tab, name: string): Promise<unknown> {
  return page.evaluate(
    ([name, count]) => {
      const { client } = window.millraceDemo;
      const path = (index: number) => ({ path: `${name}/${index}` });
      return Promise.all(
        Array.from({ length: count }, (_, index) => client.capture('page.viewed', path(index))),
      ).then(() => undefined);
    },
    [name, COUNT] as const,
  );
}

async function until(holds: () => Promise<boolean>, what: string, limitMs = 20_000): Promise<number> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  return performance.now() - start;
}

/** Of those events that `capture` captured. */
async function pathsAtEdge(): Promise<string[]> {
  const events = await edgeEvents(edge);
  const paths = events.map(({ data }) => String((data as { path?: string }).path));
  return paths.filter((path) => /^[a-z]+\/\d$/.test(path));
}

const numbered = (names: readonly string[]) =>
  names.flatMap((name) => Array.from({ length: COUNT }, (_, index) => `${name}/${index}`));

/** Once all that was captured is at the edge, it is there once, and in order. */
async function expectAtEdge(...names: readonly string[]): Promise<void> {
  const expected = numbered(names);
  const there = async () => (await pathsAtEdge()).length >= expected.length;
  await until(there, `${names.join(', ')} are at the edge`);
  expect(await pathsAtEdge()).toEqual(expected);
}

/** Two tabs: the one that leads, and the one that follows. */
async function twoTabs(url: string): Promise<readonly [Tab, Tab]> {
  const tabs = [await openTab(url), await openTab(url)] as const;
  await capture(tabs[0], 'before');
  await expectAtEdge('before');
  const leading = () => Promise.all(tabs.map(leads));
  await until(async () => (await leading()).filter(Boolean).length === 1, 'one of them leads');
  const [firstLeads] = await leading();
  return firstLeads ? tabs : [tabs[1], tabs[0]];
}

describe.each([
  ['with Web Locks', 'localhost', true],
  ['without Web Locks', HOST, false],
] as const)('%s', (title, host, locks) => {
  const url = (): string => `http://${host}:${edge.port}`;

  test('a leader that is frozen is taken over from, and follows when it wakes', async () => {
    const [first, second] = await twoTabs(url());
    expect(await second.page.evaluate(() => 'locks' in navigator)).toBe(locks);
    await freeze(first);
    await capture(second, 'meanwhile');
    const took = await until(() => leads(second), 'the second tab leads');
    console.log(`${title}: ${Math.round(took)} ms after a freeze`);
    await expectAtEdge('before', 'meanwhile');
    await wake(first);
    await capture(first, 'after');
    await expectAtEdge('before', 'meanwhile', 'after');
    const one = async () => (await leads(first)) !== (await leads(second));
    await until(one, 'one of them leads, and the other follows');
  });

  test('a leader that crashes is taken over from at once', async () => {
    const [first, second] = await twoTabs(url());
    void first.devtools.send('Page.crash').catch(() => {});
    const took = await until(() => leads(second), 'the second tab leads');
    console.log(`${title}: ${Math.round(took)} ms after a crash`);
    await capture(second, 'after');
    await expectAtEdge('before', 'after');
  });
});
