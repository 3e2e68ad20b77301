/** The live stream as `eventsource` reads it, a client of others' making: it reconnects, and misses and repeats nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { startProxy, type Proxy } from './proxy.ts';

let folder: string;
let edge: EdgeProcess;
let proxy: Proxy;
const startSameEdge = (port = 0) => startEdge({ stateDir: join(folder, 'state'), quiet: true, port });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-live-'));
  edge = await startSameEdge();
  proxy = await startProxy(edge.port);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `e-${from + i}`);

async function publish(from: number, to: number): Promise<void> {
  const events = numbered(from, to).map((id) => ({
    id,
    type: 'page.viewed',
    data: null,
    source: 'test',
  }));
  const response = await fetch(`${edge.url}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${edge.keys.publishable}` },
    body: JSON.stringify(events),
  });
  expect(response.status).toBe(200);
}

/** As a browser does it: an EventSource sends no header, so a token stands in its address. */
async function openSource(seen: string[]): Promise<EventSource> {
  const response = await fetch(`${edge.url}/live-tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${edge.keys.read}` },
  });
  const { token } = (await response.json()) as { token: string };
  const source = new EventSource(`${proxy.url}/events/live?token=${token}`);
  source.addEventListener('event', ({ data }) => {
    seen.push((JSON.parse(data as string) as { id: string }).id);
  });
  await new Promise((done) => source.addEventListener('open', done, { once: true }));
  return source;
}

test('it goes on through cut connections and killed edges, with no gap and no repeat', async () => {
  const seen: string[] = [];
  const source = await openSource(seen);
  try {
    const arrived = (count: number) =>
      expect.poll(() => seen.length, { timeout: 60_000, interval: 50 }).toBeGreaterThanOrEqual(count);
    for (let round = 0; round < 4; round++) {
      await publish(round * 20 + 1, round * 20 + 10);
      await arrived(round * 20 + 10);
      if (round === 2) {
        await edge.kill();
        edge = await startSameEdge(edge.port);
      } else proxy.cut();
      await publish(round * 20 + 11, round * 20 + 20);
      proxy.restore();
      await arrived(round * 20 + 20);
    }
    expect(seen).toEqual(numbered(1, 80));
  } finally {
    source.close();
  }
});
