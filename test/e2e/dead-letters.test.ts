/** Events that the edge refuses: the page lists them, sends them again, and drops them. */
import { expect, test } from 'vitest';
import { DemoPage } from './demo-page.ts';
import { useDevice } from './device.ts';
import { edgeEvents } from './edge-log.ts';

const device = useDevice();

test('an event that the edge refuses is listed with its reason, refused again, and dropped; the others arrive', async () => {
  const taken = { id: 'taken', type: 'page.viewed', data: { path: 'first' }, source: 'other' };
  const published = await fetch(`${device.edge.url}/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${device.edge.keys.publishable}`,
    },
    body: JSON.stringify(taken),
  });
  expect(published.status).toBe(200);

  const demo = new DemoPage(await device.browser.newPage());
  await demo.open(`http://localhost:${device.edge.port}`);
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
  expect(outcome.first!.reason.message).toContain('other content');
  expect(outcome.again!.position).toBe(outcome.first!.position);
  await demo.until(status, ({ rejected, dropped }) => rejected === 0 && dropped === 1);
  const paths = (await edgeEvents(device.edge)).map(({ data }) => (data as { path?: string }).path);
  expect(paths.filter((path) => /^(first|second|mine)/.test(path ?? ''))).toEqual([
    'first',
    'mine/0',
    'mine/1',
  ]);
});
