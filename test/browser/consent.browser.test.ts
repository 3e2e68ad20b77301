import { afterEach, describe, expect, it } from 'vitest';
import { eraseLogDatabase } from '../../src/storage/indexeddb/erase.ts';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import { syncKeys } from '../../src/sync/producer-state.ts';
import { connect, type Client, type ConnectOptions } from '../../workers/browser/client.ts';

/** Nothing listens there, and Chromium refuses the port at once. */
const NOWHERE = 'http://127.0.0.1:9/';
const clients: Client[] = [];
let logs = 0;

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

function newLog(): string {
  return `consent-${Date.now()}-${++logs}`;
}

/** Each client has a worker of its own, as each tab has. */
function open(log: string, options: Partial<ConnectOptions> = {}): Client {
  const client = connect({ endpoint: NOWHERE, sync: false, source: 'shop', log, ...options });
  clients.push(client);
  return client;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within 10 s: ${what}`);
}

function stateOf(client: Client, state: string): Promise<void> {
  return until(() => client.status().state === state, `${state}, not ${client.status().state}`);
}

async function stored(log: string): Promise<boolean> {
  const databases = await indexedDB.databases();
  return databases.some(({ name }) => name === `millrace:${log}`);
}

/** What another connection reads: `/n` of each event. */
async function paths(log: string): Promise<unknown[]> {
  const storage = await openIndexedDb({ log });
  const { events } = await storage.read({ limit: 1000 });
  await storage.close();
  return events.map(({ event }) => (event.data as { path: string }).path);
}

async function codeOf(asked: PromiseLike<unknown>): Promise<unknown> {
  try {
    await asked;
    return 'kept';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const view = (client: Client, path: string) => client.capture('page.viewed', { path });

describe('before consent', () => {
  it('nothing is stored, not even an empty database, and what is captured is refused and counted', async () => {
    const log = newLog();
    const client = open(log, { consent: 'required', sync: true });
    expect(await codeOf(view(client, '/a'))).toBe('consent.missing');
    view(client, '/b');
    await until(() => client.status().rejected === 2, 'both are counted');
    await stateOf(client, 'no-consent');
    expect(await codeOf(client.query())).toBe('consent.missing');
    expect(await stored(log)).toBe(false);
  });

  it('what is held in memory is kept once consent is given, in its order', async () => {
    const log = newLog();
    const client = open(log, { consent: 'required', beforeConsent: 'hold', maxBatch: 2 });
    const receipts = ['/1', '/2', '/3', '/4', '/5'].map((path) => view(client, path));
    await stateOf(client, 'no-consent');
    expect(client.status().captured).toBe(5);
    expect(await stored(log)).toBe(false);
    await client.grantConsent();
    expect((await Promise.all(receipts)).map(({ position }) => position)).toEqual([1, 2, 3, 4, 5]);
    expect(await paths(log)).toEqual(['/1', '/2', '/3', '/4', '/5']);
  });

  it('what is held is refused where consent is withdrawn, and a client that waits can be disposed', async () => {
    const log = newLog();
    const client = open(log, { consent: 'required', beforeConsent: 'hold' });
    const held = view(client, '/a');
    await stateOf(client, 'no-consent');
    await client.withdrawConsent();
    expect(await codeOf(held)).toBe('consent.missing');
    await stateOf(client, 'withdrawn');
    const waits = open(newLog(), { consent: 'required', beforeConsent: 'hold' });
    await stateOf(waits, 'no-consent');
    const last = view(waits, '/b');
    await waits.dispose();
    // Its worker has answered: one that had to be ended would leave `disposed`.
    expect(await codeOf(last)).toBe('consent.missing');
  });
});

describe('consent', () => {
  it('counts after a reload, for whoever asks for it', async () => {
    const log = newLog();
    const client = open(log, { consent: 'required' });
    await client.grantConsent();
    await view(client, '/a');
    await client.dispose();
    await view(open(log, { consent: 'required' }), '/b');
    expect(await paths(log)).toEqual(['/a', '/b']);
  });

  it('that is withdrawn ends capturing in all tabs, and after a reload where none was required', async () => {
    const log = newLog();
    const [one, two] = [open(log), open(log)];
    await Promise.all([view(one, '/a'), view(two, '/b')]);
    await one.withdrawConsent();
    expect(await codeOf(view(one, '/c'))).toBe('consent.missing');
    await stateOf(two, 'withdrawn');
    expect(await codeOf(view(two, '/d'))).toBe('consent.missing');
    await one.dispose();
    const reloaded = open(log);
    expect(await codeOf(view(reloaded, '/e'))).toBe('consent.missing');
    expect((await paths(log)).toSorted()).toEqual(['/a', '/b']);
    await reloaded.grantConsent();
    await view(reloaded, '/f');
    await until(async () => (await codeOf(view(two, '/g'))) === 'kept', 'the other tab goes on');
  });

  it('is asked for where the browser sends Global Privacy Control or Do Not Track, if that is obeyed', async () => {
    for (const [name, value] of [
      ['globalPrivacyControl', true],
      ['doNotTrack', '1'],
    ] as const) {
      Object.defineProperty(navigator, name, { value, configurable: true });
      try {
        const obeys = open(newLog(), { privacySignals: 'obey' });
        expect(await codeOf(view(obeys, '/a'))).toBe('consent.missing');
        await obeys.grantConsent();
        expect(await codeOf(view(obeys, '/b'))).toBe('kept');
        expect(await codeOf(view(open(newLog()), '/c'))).toBe('kept');
      } finally {
        Reflect.deleteProperty(navigator, name);
      }
    }
  });
});

describe('a device that is forgotten', () => {
  it('has an empty log in all tabs, unsent events and held ones included, and goes on as somebody new', async () => {
    const log = newLog();
    const [one, two] = [open(log), open(log, { flushMs: 600_000 })];
    const windows: unknown[] = [];
    one.onWindows((revised) => windows.push(...revised));
    await Promise.all([view(one, '/a'), view(two, '/b')]);
    view(one, '/c');
    const held = view(two, '/d');
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(await one.forget()).toEqual({ edge: 'erased' });
    expect(await codeOf(held)).toBe('consent.missing');
    expect(await paths(log)).toEqual([]);
    expect((await view(one, '/e')).position).toBe(1);
    expect((await view(two, '/f')).position).toBe(2);
    await until(() => one.status().committed === 2, 'the status counts from the start');
    const count = (list: readonly unknown[]) =>
      (list as { value: { count: number } }[]).reduce((sum, { value }) => sum + value.count, 0);
    expect(count(await one.windows())).toBe(2);
    const before = windows.length;
    await view(one, '/g');
    await until(() => windows.length > before, 'windows are still heard of');
  });

  it('keeps the withdrawal, and who is to be erased at an edge that is out of reach, until it is reached', async () => {
    const log = newLog();
    const client = open(log, { sync: true });
    await view(client, '/a');
    await until(async () => (await valueOf(log, syncKeys.producer)) !== undefined, 'a producer');
    const { id } = (await valueOf(log, syncKeys.producer)) as { id: string };
    await client.withdrawConsent();
    expect(await client.forget()).toEqual({ edge: 'pending' });
    expect(await paths(log)).toEqual([]);
    expect(await valueOf(log, `forget/${id}`)).toBe(true);
    expect(await valueOf(log, syncKeys.producer)).toBeUndefined();
    expect(await codeOf(view(client, '/b'))).toBe('consent.missing');
    await client.dispose();
    expect(await codeOf(view(open(log), '/c'))).toBe('consent.missing');
  });
});

async function valueOf(log: string, key: string): Promise<unknown> {
  const storage = await openIndexedDb({ log });
  const value = await storage.get(key);
  await storage.close();
  return value;
}

it('an erased log keeps what it is told to, and nothing else', async () => {
  const log = newLog();
  const storage = await openIndexedDb({ log });
  await storage.commit([
    {
      events: [],
      put: [
        ['a/1', 1],
        ['a/2', 2],
        ['b', 3],
      ],
    },
  ]);
  await eraseLogDatabase(log, async ({ keys, get }) => [
    ...(await keys('a/')).map((key) => [key, true] as const),
    ['was', (await get('b'))!],
  ]);
  expect(await storage.list('')).toEqual([
    ['a/1', true],
    ['a/2', true],
    ['was', 3],
  ]);
  await storage.close();
});
