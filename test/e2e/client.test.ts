/** The client's live stream over a network that fails, an edge that is killed, and a gateway that holds streams back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EventClient } from '../../src/service/client.ts';
import { startPlainWorkerd, type PlainWorkerd } from '../plain-workerd.ts';
import { until } from './delivery-edge.ts';
import { startProxy, type Proxy } from './proxy.ts';

let folder: string;
let edge: PlainWorkerd;
let proxy: Proxy;
let types = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-client-'));
  edge = await startPlainWorkerd({ folder });
  proxy = await startProxy(edge.port);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

const clients: EventClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

function clientOf(url: string): EventClient {
  const client = new EventClient({
    ...{ endpoint: url, key: edge.keys.admin, source: 'test', attempts: Infinity },
    timeoutMs: 2_000,
  });
  clients.push(client);
  return client;
}

const newType = () => `test.t${++types}`;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const drafts = (type: string, from: number, count: number) =>
  numbers(count).map((i) => ({ type, data: from + i }));

test('the stream goes on through cut connections and a killed edge, without a gap or a repeat', async () => {
  const type = newType();
  const publisher = clientOf(edge.url);
  const seen: unknown[] = [];
  const live = clientOf(proxy.url).subscribeToEvents(type, ({ data }) => seen.push(data), {
    after: 'start',
  });
  for (let round = 0; round < 6; round++) {
    await publisher.publishEvents(drafts(type, round * 20, 10));
    await until('some', () => seen.length > round * 20);
    if (round % 3 === 2) {
      await edge.kill();
      await edge.start();
    } else proxy.cut();
    await publisher.publishEvents(drafts(type, round * 20 + 10, 10));
    proxy.restore();
    await until('all', () => seen.length >= round * 20 + 20);
  }
  await live.stop();
  expect(seen).toEqual(numbers(120));
});

test('a reader goes on from any cursor, and what a topic pattern does not mean does not come', async () => {
  const type = newType();
  const client = clientOf(edge.url);
  const other = newType();
  await client.publishEvents(
    numbers(30).map((i) => ({ type: i % 3 === 0 ? other : `${type}.a`, data: i })),
  );
  await client.publishEvents([
    { type: `${type}.a.b`, data: 'deep' },
    { type: `${type}.b`, data: 'last' },
  ]);
  let cursor: string | undefined;
  const seen: unknown[] = [];
  for (let readers = 0; seen.at(-1) !== 'last'; readers++) {
    expect(readers).toBeLessThan(40);
    for await (const placed of client.subscribeToEvents(`${type}.*`, { after: cursor ?? 'start' })) {
      seen.push(placed.event.data);
      ({ cursor } = placed);
      if (placed.event.data === 'last' || seen.length % 7 === 0) break;
    }
  }
  expect(seen).toEqual([...numbers(30).filter((i) => i % 3 !== 0), 'last']);
});

/** Passes everything on, but an answer only when it is whole: a stream never is. */
async function holdingGateway(): Promise<{ url: string; server: Server; streams: () => number }> {
  let streams = 0;
  const server = createServer((request, response) => {
    const controller = new AbortController();
    response.once('close', () => controller.abort());
    void (async () => {
      const answer = await fetch(edge.url + request.url!, {
        headers: { authorization: request.headers.authorization! },
        signal: controller.signal,
      });
      const type = answer.headers.get('content-type') ?? '';
      if (type.startsWith('text/event-stream')) {
        streams++;
        response.writeHead(200, { 'content-type': type }).flushHeaders();
      }
      const body = await answer.text();
      if (!response.headersSent) response.writeHead(answer.status, { 'content-type': type });
      response.end(body);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, server, streams: () => streams };
}

test('where no stream comes through, it asks by long poll', async () => {
  const type = newType();
  const { url, server, streams } = await holdingGateway();
  try {
    const publisher = clientOf(edge.url);
    await publisher.publishEvents(drafts(type, 0, 150));
    const seen: unknown[] = [];
    const live = clientOf(url).subscribeToEvents(type, ({ data }) => seen.push(data), {
      after: 'start',
    });
    await until('what was there', () => seen.length >= 150);
    await publisher.publishEvents(drafts(type, 150, 5));
    await until('what came', () => seen.length >= 155);
    expect(seen).toEqual(numbers(155));
    expect(streams()).toBe(1);
    const { cursor } = live;
    await live.stop();
    await publisher.publishEvents(drafts(type, 155, 1));
    for await (const { event } of publisher.subscribeToEvents(type, { after: cursor! })) {
      expect(event.data).toBe(155);
      break;
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a cursor of another log is refused, and so is a key that may not read', async () => {
  const client = clientOf(edge.url);
  await client.publishEvents(drafts(newType(), 0, 1));
  const beyond = client.subscribeToEvents('#', { after: '5zzzzz' }).next();
  await expect(beyond).rejects.toMatchObject({ code: 'cursor.invalid' });
  const key = edge.keys.publishable;
  const writer = new EventClient({ endpoint: edge.url, key, source: 'test' });
  const refused = writer.subscribeToEvents('#').next();
  await expect(refused).rejects.toMatchObject({ code: 'sync.refused', details: { status: 403 } });
});

test('a handler that fails ends the stream before its event; a signal and a disconnect end it too', async () => {
  const type = newType();
  const client = clientOf(edge.url);
  await client.publishEvents(drafts(type, 0, 5));
  const seen: unknown[] = [];
  const failing = client.subscribeToEvents(
    type,
    ({ data }) => {
      if (data === 3) throw new Error('three');
      seen.push(data);
    },
    { after: 'start' },
  );
  await expect(failing.finished).rejects.toThrow('three');
  for await (const { event } of client.subscribeToEvents(type, { after: failing.cursor! })) {
    expect(event.data).toBe(3);
    break;
  }
  expect(seen).toEqual([0, 1, 2]);
  const controller = new AbortController();
  const waiting = client.subscribeToEvents(newType(), { signal: controller.signal }).next();
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  const cut = client.subscribeToEvents(newType()).next();
  client.disconnect();
  await expect(cut).rejects.toMatchObject({ code: 'disposed' });
  await expect(client.read()).rejects.toMatchObject({ code: 'disposed' });
  await client.connect();
  expect((await client.read({ limit: 1 })).events).toHaveLength(1);
});

test('a replay reads all that there is of a choice, in its order, and says where to go on', async () => {
  const type = newType();
  const client = clientOf(edge.url);
  await client.publishEvents(drafts(type, 0, 250));
  const progress: number[] = [];
  const seen: unknown[] = [];
  const outcome = await client.replay(type, ({ data }) => seen.push(data), {
    limit: 100,
    onProgress: ({ count }) => progress.push(count),
  });
  expect(seen).toEqual(numbers(250));
  expect([outcome.count, progress.at(-1)]).toEqual([250, 250]);
  await client.publishEvents(drafts(type, 250, 2));
  const more = [];
  for await (const events of client.replay({ types: type }, { after: outcome.cursor! }))
    more.push(...events.map(({ data }) => data));
  expect(more).toEqual([250, 251]);
});
