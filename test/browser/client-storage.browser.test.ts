/** The client where its storage gives trouble: none to be had, taken over by another version, held up, out of room. */
import { afterEach, describe, expect, it } from 'vitest';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import {
  connect,
  type Client,
  type ClientStatus,
  type ConnectOptions,
} from '../../workers/browser/client.ts';

/** Nothing listens there, and Chromium refuses the port at once. */
const NOWHERE = 'http://127.0.0.1:9/';

const clients: Client[] = [];
let logs = 0;

const newLog = (): string => `storage-${Date.now()}-${++logs}`;

function open(options: Partial<ConnectOptions>): Client {
  const client = connect({ endpoint: NOWHERE, sync: false, source: 'shop', ...options });
  clients.push(client);
  return client;
}

const noIndexedDb = (): Worker =>
  new Worker(new URL('./no-indexeddb-worker.ts', import.meta.url), { type: 'module' });
const failing = (): Worker =>
  new Worker(new URL('./failing-open-worker.ts', import.meta.url), { type: 'module' });
const newer = (): Worker =>
  new Worker(new URL('./newer-worker.ts', import.meta.url), { type: 'module' });

async function until(
  client: Client,
  holds: (status: ClientStatus) => boolean,
  what: string,
): Promise<void> {
  for (const end = performance.now() + 15_000; performance.now() < end;) {
    if (holds(client.status())) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within 15 s: ${what}; ${JSON.stringify(client.status())}`);
}

async function paths(client: Client): Promise<unknown[]> {
  const { events } = await client.query({ limit: 10_000 });
  return events.map(({ event }) => (event.data as { path: string }).path);
}

const view = (client: Client, path: string) => client.capture('page.viewed', { path });

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

describe('no IndexedDB', () => {
  it('keeps the log in memory, says so and why, and each tab pushes its own', async () => {
    const log = newLog();
    const tabs = [1, 2].map(() => open({ log, worker: noIndexedDb, sync: true }));
    for (const [index, tab] of tabs.entries()) await view(tab, `/${index}`);
    for (const [index, tab] of tabs.entries()) {
      await until(tab, ({ leader, waiting }) => leader && waiting === 1, 'it leads its own log');
      expect(tab.status()).toMatchObject({ storage: 'memory', committed: 1, rejected: 0 });
      expect(await paths(tab)).toEqual([`/${index}`]);
    }
    const quiet = open({ log, worker: noIndexedDb });
    await until(quiet, ({ lastError }) => lastError?.code === 'storage.open-failed', 'it says why');
  });

  it('is not said where there is one, as in a private window', async () => {
    const client = open({ log: newLog() });
    await view(client, '/a');
    await until(client, ({ bytes }) => bytes > 0, 'the size is known');
    expect(client.status()).toMatchObject({ storage: 'indexeddb' });
    expect(client.status().lastError).toBeUndefined();
  });
});

describe('a database that fails to open for a while', () => {
  it('is tried again, and no receipt is given before it is open', async () => {
    const log = newLog();
    const client = open({ log, worker: failing });
    await view(client, '/a');
    expect(client.status()).toMatchObject({ storage: 'indexeddb' });
    await client.dispose();
    expect(await paths(open({ log }))).toEqual(['/a']);
  });
});

describe('two tabs of different versions', () => {
  it('the newer one finds all of the older one’s, which goes on in memory and says to reload', async () => {
    const log = newLog();
    const older = open({ log });
    for (const path of ['/a', '/b']) await view(older, path);
    const later = open({ log, worker: newer });
    expect(await paths(later)).toEqual(['/a', '/b']);
    await view(later, '/c');
    const receipts = ['/d', '/e'].map((path) => view(older, path));
    expect((await Promise.all(receipts)).map(({ position }) => position)).toEqual([1, 2]);
    await until(older, ({ storage }) => storage === 'memory', 'it says where its log is');
    expect(older.status().lastError).toMatchObject({
      code: 'storage.open-failed',
      details: { reason: 'newer' },
      message: expect.stringContaining('reload the page'),
    });
    expect(await paths(older)).toEqual(['/d', '/e']);
    expect(await paths(later)).toEqual(['/a', '/b', '/c']);
  });

  it('the older one that comes second does not touch what it cannot read', async () => {
    const log = newLog();
    const later = open({ log, worker: newer });
    await view(later, '/a');
    const older = open({ log });
    await view(older, '/b');
    await until(older, ({ storage }) => storage === 'memory', 'it says where its log is');
    await later.dispose();
    expect(await paths(open({ log, worker: newer }))).toEqual(['/a']);
  });
});

describe('an upgrade that another tab holds up', () => {
  it('is said, what is captured waits in the page, and is committed once the tab lets go', async () => {
    const log = newLog();
    const storage = await openIndexedDb({ log });
    await storage.close();
    const stubborn = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(`millrace:${log}`, 1);
      request.addEventListener('success', () => resolve(request.result));
      request.addEventListener('error', () => reject(request.error!));
    });
    const client = open({ log, worker: newer });
    const receipts = ['/a', '/b'].map((path) => view(client, path));
    await until(client, ({ lastError }) => lastError !== undefined, 'it says what it waits for');
    expect(client.status()).toMatchObject({
      state: 'starting',
      captured: 2,
      committed: 0,
      lastError: { code: 'storage.open-failed', details: { reason: 'blocked' } },
    });
    stubborn.close();
    expect((await Promise.all(receipts)).map(({ position }) => position)).toEqual([1, 2]);
    await until(client, ({ committed, state }) => committed === 2 && state === 'idle', 'it is open');
    expect(client.status().lastError).toBeUndefined();
  }, 40_000);
});

const priorities = [1, 2, 3, 4] as const;
/** Captures one event of each priority. Whoever is below one that was shed was shed too. */
function captureOfEach(client: Client) {
  return priorities.map((priority) =>
    client.capture('page.viewed', { text: 'x'.repeat(20_000) }, { priority }),
  );
}

const rising = (shed: readonly boolean[]) => shed.toSorted((a, b) => Number(b) - Number(a));
const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

describe('a log whose room is used up', () => {
  it('sheds by priority, the critical last, and counts each', async () => {
    const client = open({ log: newLog(), maxBytes: 1_000_000 });
    const counts = [0, 0, 0, 0];
    for (let round = 0; round < 100 && counts[3] === 0; round++) {
      const settled = await Promise.allSettled(captureOfEach(client));
      const shed = settled.map(({ status }) => status === 'rejected');
      expect(shed).toEqual(rising(shed));
      shed.forEach((is, index) => is && counts[index]!++);
    }
    expect(counts[3]).toBe(1);
    expect(new Set(counts).size).toBe(4);
    await until(client, ({ dropped }) => dropped === sum(counts), 'all are counted as dropped');
    expect(client.status()).toMatchObject({ rejected: 0, captured: client.status().committed });
  });

  it('remembers over a reload what it has shed, and takes again what there is room for', async () => {
    const log = newLog();
    const first = open({ log, maxBytes: 1 });
    await view(first, '/a');
    await expect(Promise.resolve(view(first, '/b'))).rejects.toMatchObject({
      code: 'limit.exceeded',
      details: { limit: 'log.room' },
    });
    await until(first, ({ dropped }) => dropped === 1, 'it is counted');
    await first.dispose();
    const second = open({ log });
    await view(second, '/c');
    await until(second, ({ dropped }) => dropped === 1, 'it is still counted');
    expect(await paths(second)).toEqual(['/a', '/c']);
  });
});
