/**
 * The browser's quota is used up while the edge is out of reach: the page holds what the log cannot take, sheds by
 * priority what it cannot hold, and loses nothing else; once there is room again, all of it is in the log, in order.
 */
import { expect, test } from 'vitest';
import { DemoPage } from './demo-page.ts';
import { useDevice } from './device.ts';

const device = useDevice();

interface Held {
  /** Events of each priority that were shed. */
  readonly shed: readonly number[];
  /** Whether an event was ever shed while one below it was taken. */
  readonly unfair: boolean;
  readonly ids: readonly string[];
}

type Receipts = { held: PromiseLike<{ position: number }>[] };

/** Runs in the page: captures events of all priorities in turn, until the page has no room for a critical one. */
async function fill(): Promise<Held> {
  const { client } = window.millraceDemo;
  const shed = [0, 0, 0, 0];
  const ids: string[] = [];
  const held: Receipts['held'] = [];
  let unfair = false;
  // The database compresses what it stores: only what is random takes the room that it has characters.
  const random = (): string =>
    Array.from(crypto.getRandomValues(new Uint8Array(60_000)), (byte) =>
      String.fromCharCode(97 + (byte % 26)),
    ).join('');
  for (let round = 0; round < 1_000 && shed[3] === 0; round++) {
    let taken = false;
    for (const priority of [1, 2, 3, 4] as const) {
      const before = client.status().dropped;
      const receipt = client.capture('page.viewed', { path: random() }, { priority });
      if (client.status().dropped > before) {
        unfair ||= taken;
        shed[priority - 1]!++;
      } else {
        taken = true;
        ids.push(receipt.id);
        held.push(receipt);
      }
    }
    // The worker tries meanwhile.
    await new Promise((resolve) => setTimeout(resolve));
  }
  (window as unknown as Receipts).held = held;
  return { shed, unfair, ids };
}

/** Runs in the page. */
async function settle(): Promise<readonly number[]> {
  const receipts = await Promise.all((window as unknown as Receipts).held);
  return receipts.map(({ position }) => position);
}

/** Runs in the page: what its log holds from that position on. */
async function idsFrom(position: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let after = position - 1; ;) {
    const { events, next, more } = await window.millraceDemo.client.query({ after });
    ids.push(...events.map(({ event }) => event.id));
    if (!more) return ids;
    after = next;
  }
}

test('the page holds what the log cannot take, sheds by priority, and loses nothing that it holds', async () => {
  const page = await device.browser.newPage();
  const devtools = await page.context().newCDPSession(page);
  const origin = `http://localhost:${device.edge.port}`;
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 6_000_000 });
  const demo = new DemoPage(page);
  await demo.open(origin);
  const status = () => page.evaluate(() => window.millraceDemo.client.status());
  await page.evaluate(() => window.millraceDemo.client.setOffline(true));

  const { shed, unfair, ids } = await page.evaluate(fill);
  expect(unfair).toBe(false);
  expect(shed.toSorted((a, b) => b - a)).toEqual(shed);
  expect(shed[3]).toBe(1);
  const full = await demo.until(status, ({ lastError }) => lastError?.code === 'storage.failed');
  expect(full.lastError!.message).toContain('QuotaExceededError');
  expect(full.rejected).toBe(0);
  expect(full.dropped).toBe(shed.reduce((sum, count) => sum + count));
  expect(full.committed).toBeLessThan(full.captured / 2);

  await devtools.send('Storage.overrideQuotaForOrigin', { origin });
  const positions = await page.evaluate(settle);
  expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  expect(await page.evaluate(idsFrom, positions[0]!)).toEqual(ids);
});
