import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod/mini';
import { defineEvents, type EventSchemas } from '../../src/event/catalogue.ts';
import {
  connect,
  type Client,
  type ClientStatus,
  type ConnectOptions,
} from '../../workers/browser/client.ts';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';

const shop = defineEvents(
  {
    'page.viewed': z.object({ path: z.string() }),
    'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  },
  { strict: true },
);

/** Nothing listens there, and Chromium refuses the port at once. */
const NOWHERE = 'http://127.0.0.1:9/';

const clients: { dispose(): Promise<void> }[] = [];
let logs = 0;

function newLog(): string {
  return `test-${Date.now()}-${++logs}`;
}

function open<const Schemas extends EventSchemas = {}>(
  options: Partial<ConnectOptions<Schemas>>,
): Client<Schemas> {
  const client = connect({ endpoint: NOWHERE, sync: false, source: 'shop', ...options });
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

function statusOf(
  client: Client,
  holds: (status: ClientStatus) => boolean,
  what: string,
): Promise<void> {
  return until(() => holds(client.status()), `${what}; ${JSON.stringify(client.status())}`);
}

async function paths(client: Client): Promise<unknown[]> {
  const { events } = await client.query({ limit: 10_000 });
  return events.map(({ event }) => (event.data as { path: string }).path);
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

describe('a receipt', () => {
  it('resolves once the event is committed, for another connection to read', async () => {
    const log = newLog();
    const client = open({ log });
    const { id, position } = await client.capture('page.viewed', { path: '/a' });
    const storage = await openIndexedDb({ log });
    const { events } = await storage.read({});
    await storage.close();
    expect(events.map(({ event }) => [event.id, event.data, event.source])).toEqual([
      [id, { path: '/a' }, 'shop'],
    ]);
    expect(position).toBe(1);
  });

  it('is given at once, with the id of the event, before the log is open', () => {
    const receipt = open({ log: newLog() }).capture('page.viewed', { path: '/a' }, { id: 'mine' });
    expect(receipt.id).toBe('mine');
  });

  it('that is awaited does not wait for the timer', async () => {
    const client = open({ log: newLog(), flushMs: 600_000 });
    const first = client.capture('page.viewed', { path: '/a' });
    const second = client.capture('page.viewed', { path: '/b' });
    expect((await second).position).toBe(2);
    expect((await first).position).toBe(1);
  });

  it('of a critical event is on its way without being awaited', async () => {
    const client = open({ log: newLog(), flushMs: 600_000 });
    client.capture('page.viewed', { path: '/a' }, { priority: 4 });
    await statusOf(client, (status) => status.committed === 1, 'the critical event is committed');
  });

  it('that is not awaited follows after flushMs, and when a batch is full', async () => {
    const client = open({ log: newLog(), flushMs: 5 });
    client.capture('page.viewed', { path: '/a' });
    await statusOf(client, (status) => status.committed === 1, 'one by the timer');
    const full = open({ log: newLog(), flushMs: 600_000, maxBatch: 3 });
    for (const path of ['/a', '/b', '/c', '/d']) full.capture('page.viewed', { path });
    await statusOf(full, (status) => status.committed === 3, 'three by a full batch');
    expect(full.status().captured).toBe(4);
  });

  it('that is not awaited is on its way when the page is hidden or goes away', async () => {
    const client = open({ log: newLog(), flushMs: 600_000 });
    client.capture('page.viewed', { path: '/a' });
    dispatchEvent(new PageTransitionEvent('pagehide'));
    await statusOf(client, (status) => status.committed === 1, 'committed on pagehide');
    client.capture('page.viewed', { path: '/b' });
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    Reflect.deleteProperty(document, 'visibilityState');
    await statusOf(client, (status) => status.committed === 2, 'committed when hidden');
  });

  it('of an id that is stored with other content rejects alone, and the order of the others stays', async () => {
    const client = open({ log: newLog(), flushMs: 600_000 });
    await client.capture('page.viewed', { path: '/a' }, { id: 'one', timestamp: 1 });
    const before = client.capture('page.viewed', { path: '/b' });
    const conflict = client.capture('page.viewed', { path: '/other' }, { id: 'one', timestamp: 1 });
    const repeat = client.capture('page.viewed', { path: '/a' }, { id: 'one', timestamp: 1 });
    const after = client.capture('page.viewed', { path: '/c' });
    await expect(Promise.resolve(conflict)).rejects.toMatchObject({
      code: 'event.conflict',
      details: { id: 'one' },
    });
    expect((await before).position).toBe(2);
    expect((await repeat).position).toBe(1);
    expect((await after).position).toBe(3);
    expect(await paths(client)).toEqual(['/a', '/b', '/c']);
    expect(client.status().rejected).toBe(1);
  });
});

describe('bad data', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const throwing = {
    get path(): string {
      throw new Error('no');
    },
  };

  it.each([
    ['a BigInt', 'page.viewed', { path: 1n }, 'event.invalid'],
    ['a cycle', 'page.viewed', cycle, 'event.invalid'],
    ['undefined', 'page.viewed', undefined, 'event.invalid'],
    ['a function', 'page.viewed', () => 1, 'event.invalid'],
    ['a getter that throws', 'page.viewed', throwing, 'event.invalid'],
    ['an empty type', '', {}, 'event.invalid'],
    ['a line past its limit', 'page.viewed', { path: 'x'.repeat(300_000) }, 'limit.exceeded'],
  ])(
    '%s: the receipt rejects with its code, nothing is thrown, the others are unharmed',
    async (_, type, data, code) => {
      const client = open({ log: newLog() });
      const before = client.capture('page.viewed', { path: '/a' });
      const bad = client.capture(type, data);
      const after = client.capture('page.viewed', { path: '/b' });
      await expect(Promise.resolve(bad)).rejects.toMatchObject({ code });
      expect([(await before).position, (await after).position]).toEqual([1, 2]);
      expect(client.status()).toMatchObject({ captured: 2, rejected: 1 });
    },
  );

  it.each([
    ['an unknown type', 'page.closed', {}, 'catalogue.unknown-type', {}],
    [
      'a wrong payload',
      'order.placed',
      { orderId: 'o-1', total: '30' },
      'event.invalid',
      { path: '/data/total' },
    ],
  ])('%s under a strict catalogue', async (_, type, data, code, details) => {
    const client = open({ log: newLog(), catalogue: shop }) as unknown as Client;
    const bad = client.capture(type, data);
    const good = client.capture('order.placed', { orderId: 'o-1', total: 30 });
    await expect(Promise.resolve(bad)).rejects.toMatchObject({ code, details });
    expect((await good).position).toBe(1);
  });

  it('raises no unhandled rejection where nobody awaits the receipt', async () => {
    const unhandled: unknown[] = [];
    const listener = (event: PromiseRejectionEvent): void => {
      unhandled.push(event.reason);
      event.preventDefault();
    };
    addEventListener('unhandledrejection', listener);
    const client = open({ log: newLog() });
    client.capture('page.viewed', { path: 1n });
    await client.capture('page.viewed', { path: '/a' }, { id: 'one' });
    client.capture('page.viewed', { path: '/b' }, { id: 'one' });
    await statusOf(client, (status) => status.rejected === 2, 'both are counted');
    await new Promise((resolve) => setTimeout(resolve, 50));
    removeEventListener('unhandledrejection', listener);
    expect(unhandled).toEqual([]);
  });
});

describe('the log', () => {
  it('is all there after the page has gone and come back', async () => {
    const log = newLog();
    const first = open({ log });
    for (let index = 0; index < 250; index++) first.capture('page.viewed', { path: `/${index}` });
    await first.dispose();
    const second = open({ log });
    expect(await paths(second)).toEqual(Array.from({ length: 250 }, (_, index) => `/${index}`));
    await statusOf(
      second,
      (status) => status.committed === 250 && status.waiting === 250,
      'the counts survive',
    );
  });

  it('tells its status’s listeners, and one that throws stops no other', async () => {
    const client = open({ log: newLog() });
    const raised: unknown[] = [];
    const onError = (event: ErrorEvent): void => {
      raised.push(event.message);
      event.preventDefault();
    };
    addEventListener('error', onError);
    const counts: number[] = [];
    client.onStatus(() => {
      throw new Error('a listener’s own defect');
    });
    const undo = client.onStatus(({ captured }) => counts.push(captured));
    await client.capture('page.viewed', { path: '/a' });
    await until(() => counts.at(-1) === 1, 'the status came');
    undo();
    const heard = counts.length;
    await client.capture('page.viewed', { path: '/b' });
    await statusOf(client, (status) => status.waiting === 2, 'the second is counted');
    removeEventListener('error', onError);
    expect(counts).toHaveLength(heard);
    expect(raised.length).toBeGreaterThan(0);
  });

  it('is shared by two tabs: no gap, nothing twice, each in its own order', async () => {
    const log = newLog();
    const tabs = [open({ log, maxBatch: 7 }), open({ log, maxBatch: 5 })];
    for (let index = 0; index < 200; index++) {
      tabs.forEach((tab, number) => tab.capture('page.viewed', { path: `${number}/${index}` }));
      if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(tabs.map((tab) => tab.flush()));
    const { events } = await tabs[0]!.query({ limit: 1000 });
    expect(events.map(({ position }) => position)).toEqual(
      Array.from({ length: 400 }, (_, index) => index + 1),
    );
    const all = await paths(tabs[1]!);
    for (const number of [0, 1]) {
      const own = all.filter((path) => String(path).startsWith(`${number}/`));
      expect(own).toEqual(Array.from({ length: 200 }, (_, index) => `${number}/${index}`));
    }
    for (const tab of tabs) {
      await statusOf(
        tab,
        (status) => status.committed === 400 && status.captured === 400,
        'both count the same',
      );
    }
  });

  it('does not hang where the worker’s script does not load', async () => {
    const missing = (): Worker => new Worker(URL.createObjectURL(new Blob(['}'])), { type: 'module' });
    const client = open({ log: newLog(), worker: missing });
    await expect(Promise.resolve(client.capture('page.viewed', { path: '/' }))).rejects.toMatchObject({
      code: 'storage.open-failed',
    });
  });

  it('refuses what is asked after dispose, without an exception', async () => {
    const client = open({ log: newLog() });
    await client.dispose();
    await expect(Promise.resolve(client.capture('page.viewed', { path: '/' }))).rejects.toMatchObject({
      code: 'disposed',
    });
    await expect(client.query()).rejects.toMatchObject({ code: 'disposed' });
  });
});

describe('a log that cannot write', () => {
  it('loses nothing: what was captured waits, the status says why, and it is committed in order', async () => {
    const full = (): Worker =>
      new Worker(new URL('./client-full-disk-worker.ts', import.meta.url), { type: 'module' });
    const client = open({ log: newLog(), worker: full });
    const troubles = new Set<string | undefined>();
    client.onStatus(({ lastError }) => troubles.add(lastError?.code));
    const receipts = Array.from({ length: 250 }, (_, index) =>
      client.capture('page.viewed', { path: `/${index}` }),
    );
    await client.flush();
    expect(await Promise.all(receipts)).toHaveLength(250);
    expect(await paths(client)).toEqual(Array.from({ length: 250 }, (_, index) => `/${index}`));
    await statusOf(
      client,
      ({ committed, rejected }) => committed === 250 && rejected === 0,
      'all are in',
    );
    expect(troubles).toContain('storage.failed');
    expect(client.status().lastError).toBeUndefined();
  });

  it('tells a flush of what was refused before it was called', async () => {
    const client = open({ log: newLog() });
    await client.capture('page.viewed', { path: '/a' }, { id: 'one' });
    client.capture('page.viewed', { path: '/b' }, { id: 'one' });
    await statusOf(client, ({ rejected }) => rejected === 1, 'the conflict is counted');
    client.capture('page.viewed', { path: '/c' });
    await expect(client.flush()).rejects.toMatchObject({ code: 'event.conflict' });
    await client.flush();
    expect(await paths(client)).toEqual(['/a', '/c']);
  });
});

describe('a database that the browser takes away', () => {
  /** Resolves when the request is through: one that is held up by more than a transaction under way never is. */
  function through(request: IDBOpenDBRequest): Promise<IDBDatabase | undefined> {
    return new Promise((resolve, reject) => {
      request.addEventListener('success', () => resolve(request.result));
      request.addEventListener('error', () => reject(request.error!));
    });
  }

  it('by deleting it: the deletion is not held up, and the client goes on with what the edge does not have', async () => {
    const log = newLog();
    const client = open({ log });
    for (const path of ['/a', '/b', '/c']) await client.capture('page.viewed', { path });
    await client.windows();
    await through(indexedDB.deleteDatabase(`millrace:${log}`));
    expect((await client.capture('page.viewed', { path: '/d' })).position).toBe(4);
    expect(await paths(client)).toEqual(['/a', '/b', '/c', '/d']);
    expect(await client.windows()).toMatchObject([{ value: { count: 4 } }]);
    await statusOf(
      client,
      ({ committed, waiting, captured }) => committed === 4 && waiting === 4 && captured === 4,
      'the counts are the new log’s',
    );
    await statusOf(client, ({ guarded }) => guarded, 'the journal guards it');
    expect(client.status().wiped).toMatchObject({ restored: 3 });
  });

  it('is a new log to the sync too: another producer', async () => {
    const log = newLog();
    const client = open({ log, sync: true });
    const producer = async (): Promise<string | undefined> => {
      const storage = await openIndexedDb({ log });
      const stored = (await storage.get('sync/producer')) as { id: string } | undefined;
      await storage.close();
      return stored?.id;
    };
    await client.capture('page.viewed', { path: '/a' });
    await until(async () => (await producer()) !== undefined, 'there is a producer');
    const first = await producer();
    await through(indexedDB.deleteDatabase(`millrace:${log}`));
    await client.capture('page.viewed', { path: '/b' });
    await until(async () => ![undefined, first].includes(await producer()), 'there is another');
    await statusOf(client, ({ waiting, leader }) => waiting === 2 && leader, 'the events wait');
  });

  it('an older version that another tab does not let go of is said, within seconds', async () => {
    const log = newLog();
    const stubborn = (await through(indexedDB.open(`millrace:${log}`, 1)))!;
    const factory = Object.getPrototypeOf(indexedDB) as IDBFactory;
    const { open } = factory;
    factory.open = (name, version) => open.call(indexedDB, name, (version ?? 1) + 1);
    const opened = openIndexedDb({ log });
    factory.open = open;
    await expect(opened).rejects.toMatchObject({
      code: 'storage.open-failed',
      message: expect.stringContaining('another tab holds an older version'),
    });
    stubborn.close();
  });
});

describe('several tabs', () => {
  it('have one leader, and another when it goes', async () => {
    const log = newLog();
    const tabs = [1, 2, 3].map(() => open({ log, sync: true }));
    const leaders = (): Client[] => tabs.filter((tab) => tab.status().leader);
    await until(() => leaders().length === 1, 'one leads');
    const [first] = leaders();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(leaders()).toEqual([first]);
    await first!.dispose();
    tabs.splice(tabs.indexOf(first!), 1);
    await until(() => leaders().length === 1, 'another leads');
  });

  it('see the leader’s state, and what waits, while the edge is out of reach', async () => {
    const log = newLog();
    const tabs = [open({ log, sync: true }), open({ log, sync: true })];
    await tabs[0]!.capture('page.viewed', { path: '/a' });
    for (const tab of tabs) {
      await statusOf(tab, (status) => status.state === 'backoff' && status.waiting === 1, 'backing off');
      expect(tab.status().lastError).toMatchObject({ code: 'sync.unreachable' });
    }
  });

  it('share the offline switch, and keep it over a reload', async () => {
    const log = newLog();
    const tabs = [open({ log, sync: true }), open({ log, sync: true })];
    await tabs[1]!.setOffline(true);
    for (const tab of tabs)
      await statusOf(tab, (status) => status.state === 'offline' && !status.online, 'offline');
    await Promise.all(tabs.map((tab) => tab.dispose()));
    const again = open({ log, sync: true });
    await statusOf(again, (status) => status.state === 'offline' && status.leader, 'still offline');
    await again.setOffline(false);
    await statusOf(again, (status) => status.state === 'idle' && status.online, 'on again');
  });
});

describe('windows', () => {
  const MINUTE = 60_000;

  it('count by type and minute, and a late event revises its own', async () => {
    const client = open({ log: newLog() });
    client.capture('page.viewed', { path: '/a' }, { timestamp: 10 * MINUTE });
    client.capture('page.viewed', { path: '/b' }, { timestamp: 10 * MINUTE + 59_999 });
    await client.capture('order.placed', { total: 1 }, { timestamp: 11 * MINUTE });
    const window = (minute: number) => ({ start: minute * MINUTE, end: (minute + 1) * MINUTE });
    expect(await client.windows()).toEqual([
      { window: window(10), key: 'page.viewed', value: { count: 2 }, revision: 2 },
      { window: window(11), key: 'order.placed', value: { count: 1 }, revision: 1 },
    ]);
    await client.capture('page.viewed', { path: '/late' }, { timestamp: 10 * MINUTE + 5 });
    expect(await client.windows({ to: 11 * MINUTE })).toEqual([
      { window: window(10), key: 'page.viewed', value: { count: 3 }, revision: 3 },
    ]);
  });

  it('tell every tab that watches of what is revised, whichever tab captured it', async () => {
    const log = newLog();
    const tabs = [open({ log }), open({ log })];
    const seen = tabs.map(() => 0);
    tabs.forEach((tab, number) => {
      tab.onWindows((revised) => {
        for (const { value } of revised) seen[number] = Math.max(seen[number]!, value.count);
      });
    });
    for (let index = 0; index < 5; index++)
      await tabs[index % 2]!.capture('page.viewed', { path: '/' }, { timestamp: 1 });
    await until(() => seen.every((count) => count === 5), 'both have seen the five');
  });
});
