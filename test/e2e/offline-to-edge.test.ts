/**
 * The main job: clicks made online and offline, a reload, a killed browser, a killed edge; and what was captured with a
 * receipt is at the edge exactly once, in order, and in both charts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { products } from '../../demo/products.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';
import { DemoPage } from './demo-page.ts';
import { asCounts, edgeEvents, edgeWindows, recount } from './edge-log.ts';
import { startProxy, type Proxy } from './proxy.ts';

let folder: string;
let edge: EdgeProcess;
let proxy: Proxy;
let browser: KillableBrowser;
/** Ids whose receipts resolved, as they were heard of. */
let receipts: string[];

/** The same edge each time: its state is kept. */
const startSameEdge = () => startEdge({ stateDir: join(folder, 'state'), quiet: true });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-e2e-'));
  receipts = [];
  edge = await startSameEdge();
  proxy = await startProxy(edge.port);
  browser = await launchBrowser(join(folder, 'profile'));
});

afterEach(async () => {
  await browser.kill();
  await proxy[Symbol.asyncDispose]();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens the demo in the browser of now; each receipt that resolves in it is heard of here. */
async function openDemo(): Promise<DemoPage> {
  const page = await browser.newPage();
  await page.exposeFunction('heardReceipt', (id: string) => void receipts.push(id));
  await page.addInitScript(hearReceipts);
  const demo = new DemoPage(page);
  await demo.open(proxy.url);
  return demo;
}

/** Runs in the page: awaits every receipt that the demo is given. */
function hearReceipts(): void {
  type Demo = Window['millraceDemo'];
  const host = window as unknown as { heardReceipt(id: string): Promise<void>; millraceDemo: Demo };
  let shown: Demo | undefined;
  Object.defineProperty(host, 'millraceDemo', {
    get: () => shown,
    set(demo: Demo) {
      const { client } = demo;
      const capture = client.capture.bind(client);
      client.capture = (...given) => {
        const receipt = capture(...given);
        void receipt.then(
          ({ id }) => host.heardReceipt(id),
          () => {},
        );
        return receipt;
      };
      shown = demo;
    },
  });
}

/** Everything on the device is at the edge once, in the device's order, and both charts say so. */
async function expectExactlyOnce(demo: DemoPage): Promise<void> {
  await demo.until(
    () => demo.counts(),
    ({ waiting, captured, acknowledged }) => waiting === 0 && acknowledged === captured,
    60_000,
  );
  const there = await edgeEvents(edge);
  const ids = there.map(({ id }) => id);
  expect(new Set(ids).size, 'no event is at the edge twice').toBe(ids.length);
  const missing = receipts.filter((id) => !ids.includes(id));
  expect(missing, 'every event with a receipt is at the edge').toEqual([]);
  const onDevice = await demo.page.evaluate(async () => {
    const { events } = await window.millraceDemo.client.query({ limit: 10_000 });
    return events.map(({ event }) => event.id);
  });
  expect(ids, 'the edge has what the device has, in its order').toEqual(onDevice);
  const counts = recount(there);
  expect(asCounts(await edgeWindows(edge)), 'the edge’s windows').toEqual(counts);
  const sum = (windows: readonly { value: { count: number } }[]) =>
    windows.reduce((total, { value }) => total + value.count, 0);
  await demo.until(
    () => demo.deviceWindows(),
    (windows) => sum(windows) === ids.length,
  );
  await demo.until(
    () => demo.edgeWindows(),
    (windows) => sum(windows) === ids.length,
  );
  expect(asCounts(await demo.deviceWindows()), 'the chart of the device').toEqual(counts);
  expect(asCounts(await demo.edgeWindows()), 'the chart of the edge').toEqual(counts);
}

const [first, second, third] = products.map(({ id }) => id) as [string, string, string];

test('what is clicked online, offline, after a reload and before the browser is killed is at the edge once', async () => {
  let demo = await openDemo();
  await demo.kept();
  await demo.add(first, 3);
  await demo.view(second);
  await demo.until(
    () => demo.counts(),
    ({ waiting, captured }) => waiting === 0 && captured >= 5,
  );
  const online = receipts.length;
  expect(online).toBeGreaterThanOrEqual(4);

  proxy.cut();
  await demo.add(second, 4);
  await demo.lateClick();
  await demo.until(
    () => demo.counts(),
    ({ waiting, committed, captured }) => waiting >= 5 && committed === captured,
  );
  await demo.reload();
  await demo.add(third, 5);
  await demo.placeOrder();
  await demo.burst();
  await demo.until(
    async () => receipts.length,
    (heard) => heard >= online + 100,
  );
  expect((await edgeEvents(edge)).length, 'nothing passes a cut network').toBeLessThan(
    receipts.length - 100,
  );

  await browser.kill();
  browser = await launchBrowser(join(folder, 'profile'));
  demo = await openDemo();
  // What had a receipt outlives the browser.
  await demo.until(
    () => demo.counts(),
    ({ committed, waiting }) => committed >= receipts.length && waiting >= 100,
  );

  proxy.restore();
  await demo.add(first);
  await expectExactlyOnce(demo);
});

test('what is pushed while the edge is killed, and while its answers are lost, is there once', async () => {
  const demo = await openDemo();
  for (let round = 0; round < 3; round++) {
    await demo.setOffline(true);
    for (let bursts = 0; bursts < 8; bursts++) await demo.burst();
    await demo.until(
      () => demo.counts(),
      ({ waiting, committed, captured }) => waiting >= 800 && committed === captured,
    );
    // The edge applies what it is sent, and nobody hears of it; then it dies.
    proxy.swallowAnswers(true);
    const before = proxy.sent();
    await demo.setOffline(false);
    await demo.until(
      async () => proxy.sent(),
      (sent) => sent > before + 20_000,
    );
    await edge.kill('SIGKILL');
    proxy.swallowAnswers(false);
    edge = await startSameEdge();
    proxy.retarget(edge.port);
    await demo.add(first);
    await demo.until(
      () => demo.counts(),
      ({ waiting }) => waiting === 0,
      60_000,
    );
  }
  expect(receipts.length).toBeGreaterThanOrEqual(2400);
  await expectExactlyOnce(demo);
});
