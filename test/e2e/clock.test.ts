/**
 * A device whose clock is a day ahead: what it captures is at the edge in its order, with the times that it was captured
 * with, and the edge knows how far the clock is off.
 */
import { expect, test } from 'vitest';
import { parseTimestamp } from '../../src/event/timestamp.ts';
import { DemoPage } from './demo-page.ts';
import { useDevice } from './device.ts';
import { edgeEvents, reading } from './edge-log.ts';

const DAY = 86_400_000;
/** To stand before a script, of the page and of its worker: `Date.now` is a day ahead from then on. */
const AHEAD = `if (!Date.ahead) { const { now } = Date; Date.now = () => now() + ${DAY}; Date.ahead = true; }\n`;

const device = useDevice();

async function openAhead(): Promise<DemoPage> {
  const page = await device.browser.newPage();
  await page.route('**/*.js*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: AHEAD + (await response.text()) });
  });
  const demo = new DemoPage(page);
  await demo.open(`http://localhost:${device.edge.port}`);
  return demo;
}

const capture = ({ page }: DemoPage, name: string, count: number) =>
  page.evaluate(
    async ([name, count]) => {
      const { client } = window.millraceDemo;
      const path = (index: number) => ({ path: `${name}/${index}` });
      for (let index = 0; index < count; index++) await client.capture('page.viewed', path(index));
    },
    [name, count] as const,
  );

test('a clock that is a day ahead changes neither the order nor the times, and is told to the edge', async () => {
  const ahead = await openAhead();
  const settled = () =>
    ahead.until(
      () => ahead.page.evaluate(() => window.millraceDemo.client.status()),
      ({ waiting, committed }) => waiting === 0 && committed > 0,
    );
  await capture(ahead, 'a', 5);
  await settled();
  await capture(ahead, 'b', 5);
  await settled();
  const events = (await edgeEvents(device.edge)).filter(({ type }) => type === 'page.viewed');
  const own = events.filter(({ data }) => /^[ab]\//.test((data as { path: string }).path));
  expect(own.map(({ data }) => (data as { path: string }).path)).toEqual(
    ['a', 'b'].flatMap((name) => [0, 1, 2, 3, 4].map((index) => `${name}/${index}`)),
  );
  for (const { timestamp } of own) {
    const off = parseTimestamp(timestamp)! - Date.now();
    expect(off).toBeGreaterThan(DAY - 120_000);
    expect(off).toBeLessThanOrEqual(DAY);
  }
  const producer = await ahead.page.evaluate(
    () =>
      new Promise<string>((resolve, reject) => {
        const opening = indexedDB.open('millrace:millrace');
        opening.addEventListener('error', () => reject(opening.error!));
        opening.addEventListener('success', () => {
          const values = opening.result.transaction('values').objectStore('values');
          const asked = values.get('sync/producer') as IDBRequest<{ id: string }>;
          asked.addEventListener('success', () => resolve(asked.result.id));
        });
      }),
  );
  const response = await fetch(`${device.edge.url}/sync/producers/${producer}`, {
    headers: reading(device.edge.keys),
  });
  const { skewMs } = (await response.json()) as { skewMs: number };
  expect(Math.abs(skewMs + DAY)).toBeLessThan(10_000);
});
