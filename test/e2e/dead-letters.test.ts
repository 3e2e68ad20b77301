/** Events that the edge refuses: the page lists them, sends them again, and drops them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';
import { DemoPage } from './demo-page.ts';
import { edgeEvents } from './edge-log.ts';

let folder: string;
let edge: EdgeProcess;
let browser: KillableBrowser;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-letters-'));
  edge = await startEdge({ stateDir: join(folder, 'state'), quiet: true });
  browser = await launchBrowser(join(folder, 'profile'));
});

afterEach(async () => {
  await browser.kill();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

test('an event that the edge refuses is listed with its reason, refused again, and dropped; the others arrive', async () => {
  const taken = { id: 'taken', type: 'page.viewed', data: { path: 'first' }, source: 'other' };
  const published = await fetch(`${edge.url}/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${edge.keys.publishable}`,
    },
    body: JSON.stringify(taken),
  });
  expect(published.status).toBe(200);

  const demo = new DemoPage(await browser.newPage());
  await demo.open(`http://localhost:${edge.port}`);
  const status = () => demo.page.evaluate(() => window.millraceDemo.client.status());
  await demo.page.evaluate(async () => {
    const { client } = window.millraceDemo;
    await client.capture('page.viewed', { path: 'mine/0' });
    await client.capture('page.viewed', { path: 'second' }, { id: 'taken' });
    await client.capture('page.viewed', { path: 'mine/1' });
  });
  const { rejected, dropped } = await demo.until(
    status,
    ({ waiting, rejected }) => waiting === 0 && rejected > 0,
  );
  expect([rejected, dropped]).toEqual([1, 0]);
  const outcome = await demo.page.evaluate(async () => {
    const { client } = window.millraceDemo;
    const [first] = await client.deadLetters();
    const sent = await client.resendDeadLetters();
    const [again] = await client.deadLetters();
    const dropped = await client.dropDeadLetters({ positions: [again!.position] });
    return { first, sent, again, dropped, left: await client.deadLetters() };
  });
  expect(outcome).toMatchObject({ sent: 0, dropped: 1, left: [] });
  expect(outcome.first!.reason).toContain('other content');
  expect(outcome.again!.position).toBe(outcome.first!.position);
  await demo.until(status, ({ rejected, dropped }) => rejected === 0 && dropped === 1);
  const paths = (await edgeEvents(edge)).map(({ data }) => (data as { path?: string }).path);
  expect(paths.filter((path) => /^(first|second|mine)/.test(path ?? ''))).toEqual([
    'first',
    'mine/0',
    'mine/1',
  ]);
});
