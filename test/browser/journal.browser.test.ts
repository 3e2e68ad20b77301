/** The journal beside the log: what it brings back when the log's database is gone, and what it must not. */
import { afterEach, describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import type { Commit } from '../../src/storage/storage.ts';
import { deadLetterEntry, pushDeadLetter } from '../../src/sync/dead-letter.ts';
import {
  connect,
  type Client,
  type ClientStatus,
  type ConnectOptions,
} from '../../workers/browser/client.ts';
import { encodeFrame } from '../../workers/browser/journal-frames.ts';

/** Nothing listens there, and Chromium refuses the port at once. */
const NOWHERE = 'http://127.0.0.1:9/';
const clients: Client[] = [];
let logs = 0;

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

const newLog = (): string => `journal-${Date.now()}-${++logs}`;

/** Each client has a worker of its own, as each tab has. Nothing is pushed: what the edge has, a test says. */
function open(log: string, options: Partial<ConnectOptions> = {}): Client {
  const client = connect({ endpoint: NOWHERE, sync: false, source: 'shop', log, ...options });
  clients.push(client);
  return client;
}

const noOpfs = (): Worker =>
  new Worker(new URL('./no-opfs-worker.ts', import.meta.url), { type: 'module' });
const fullJournal = (): Worker =>
  new Worker(new URL('./full-journal-worker.ts', import.meta.url), { type: 'module' });
const killedInRestore = (): Worker =>
  new Worker(new URL('./killed-in-restore-worker.ts', import.meta.url), { type: 'module' });

const view = (client: Client, path: string) => client.capture('page.viewed', { path });

/** One after another, each with its receipt. */
async function viewAll(client: Client, paths: readonly string[]): Promise<void> {
  for (const path of paths) await view(client, path);
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within 10 s: ${what}`);
}

async function statusOf(
  client: Client,
  holds: (status: ClientStatus) => boolean,
): Promise<ClientStatus> {
  await until(() => holds(client.status()), JSON.stringify(client.status()));
  return client.status();
}

async function pathsOf(client: Client): Promise<unknown[]> {
  const { events } = await client.query({ limit: 10_000 });
  return events.map(({ event }) => (event.data as { path: string }).path);
}

/** Behind everybody's back, as the browser does it. */
function wipe(log: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`millrace:${log}`);
    request.addEventListener('success', () => resolve());
    request.addEventListener('error', () => reject(request.error!));
  });
}

async function closeAll(): Promise<void> {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
}

async function put(log: string, values: NonNullable<Commit['put']>): Promise<void> {
  const storage = await openIndexedDb({ log });
  await storage.commit([{ events: [], put: values }]);
  await storage.close();
}

/** The edge says that it has all up to there, and the client hears of it. */
async function acknowledge(client: Client, log: string, position: number): Promise<void> {
  await put(log, [['sync/acked', position]]);
  await client.setOffline(false);
}

const root = (): Promise<FileSystemDirectoryHandle> => navigator.storage.getDirectory();
const folderOf = async (log: string): Promise<FileSystemDirectoryHandle> =>
  (await root()).getDirectoryHandle(`millrace:${log}`);

async function hasFolder(log: string): Promise<boolean> {
  return folderOf(log).then(
    () => true,
    () => false,
  );
}

/** The sizes of the files of events, in bytes. */
async function sizes(log: string): Promise<readonly number[]> {
  const found: number[] = [];
  for await (const [name, entry] of (await folderOf(log)).entries())
    if (name !== 'state') found.push((await (entry as FileSystemFileHandle).getFile()).size);
  return found;
}

const total = async (log: string): Promise<number> =>
  (await sizes(log)).reduce((sum, size) => sum + size, 0);

async function change(
  log: string,
  name: string,
  write: (file: FileSystemWritableFileStream) => Promise<void>,
): Promise<void> {
  const entry = await (await folderOf(log)).getFileHandle(name);
  const file = await entry.createWritable({ keepExistingData: true });
  await write(file);
  await file.close();
}

const ten = Array.from({ length: 10 }, (_, i) => `/${i}`);

describe('a log whose database is gone', () => {
  it('is brought back in its order, before what is captured next, however often', async () => {
    const log = newLog();
    const first = open(log);
    await viewAll(first, ten);
    expect(await statusOf(first, ({ guarded }) => guarded)).not.toHaveProperty('wiped');
    await closeAll();
    await wipe(log);
    const second = open(log);
    expect((await view(second, '/next')).position).toBe(11);
    expect(await pathsOf(second)).toEqual([...ten, '/next']);
    const { wiped } = await statusOf(second, ({ guarded }) => guarded);
    expect(wiped).toMatchObject({ restored: 10 });
    await closeAll();
    expect((await statusOf(open(log), ({ guarded }) => guarded)).wiped, 'it is remembered').toEqual(
      wiped,
    );
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual([...ten, '/next']);
  });

  it('is brought back further by each life that is cut off in it, and the files do not grow', async () => {
    const log = newLog();
    const first = open(log);
    const paths = Array.from({ length: 5_500 }, (_, i) => `/${i}`);
    await Promise.all(paths.map((path) => view(first, path)));
    await closeAll();
    const before = await total(log);
    await wipe(log);
    for (let life = 1; life <= 2; life++) {
      const killed = new Promise((resolve) => {
        new BroadcastChannel('killed').addEventListener('message', resolve, { once: true });
      });
      open(log, { worker: killedInRestore });
      await killed;
      await closeAll();
      const storage = await openIndexedDb({ log });
      expect((await storage.stats()).events).toBeGreaterThanOrEqual(life * 2_000);
      await storage.close();
    }
    const last = open(log);
    expect(await pathsOf(last)).toEqual(paths);
    expect((await statusOf(last, ({ guarded }) => guarded)).wiped).toMatchObject({ restored: 5_500 });
    await closeAll();
    expect(await total(log)).toBeLessThan(before * 1.1);
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual(paths);
  });

  it('is brought back from what several tabs have left, in the order of the log', async () => {
    const log = newLog();
    const tabs = [open(log), open(log), open(log)];
    for (const [i, path] of ten.entries()) await view(tabs[i % 3]!, path);
    for (const tab of tabs) await statusOf(tab, ({ guarded }) => guarded);
    expect(
      (await sizes(log)).filter((size) => size > 0),
      'a file each',
    ).toHaveLength(3);
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual(ten);
  });

  it('is brought back once where its tabs are open, each tab’s events in their order', async () => {
    const log = newLog();
    const tabs = [open(log), open(log)];
    for (const [i, path] of ten.entries()) await view(tabs[i % 2]!, path);
    await wipe(log);
    await Promise.all(tabs.map((tab, i) => view(tab, `/next ${i}`)));
    const paths = await pathsOf(tabs[0]!);
    expect(paths.toSorted()).toEqual([...ten, '/next 0', '/next 1'].toSorted());
    for (const parity of [0, 1]) {
      const own = [...ten.filter((_, i) => i % 2 === parity), `/next ${parity}`];
      expect(paths.filter((path) => own.includes(path as string))).toEqual(own);
    }
  });

  it.each([
    [1, 9],
    [150, 9],
    [300, 8],
  ])(
    'loses the end of a file that is torn by %i bytes, and nothing before it; what comes next is behind it',
    async (torn, count) => {
      const log = newLog();
      await viewAll(open(log), ten);
      await closeAll();
      const [size] = await sizes(log);
      await change(log, '0', (file) => file.truncate(size! - torn));
      await wipe(log);
      const client = open(log);
      await view(client, '/behind');
      expect(await pathsOf(client)).toEqual([...ten.slice(0, count), '/behind']);
      await closeAll();
      await wipe(log);
      expect(await pathsOf(open(log))).toEqual([...ten.slice(0, count), '/behind']);
    },
  );

  it('has the end that was torn, too, where the log was still there when it was opened next', async () => {
    const log = newLog();
    await viewAll(open(log), ten);
    await closeAll();
    const [size] = await sizes(log);
    await change(log, '0', (file) => file.truncate(size! - 300));
    await view(open(log), '/behind');
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual([...ten, '/behind']);
  });

  it('is brought back from more than one file can hold, and the first is emptied before the last', async () => {
    const log = newLog();
    const client = open(log);
    const data = { path: '/large', text: 'x'.repeat(200_000) };
    for (let i = 0; i < 30; i++) await client.capture('page.viewed', data);
    await until(async () => (await sizes(log)).length === 2, 'a second file');
    await view(client, '/small');
    await acknowledge(client, log, 30);
    await until(async () => (await total(log)) < 4_000_000, 'the first is empty');
    await closeAll();
    await wipe(log);
    expect((await pathsOf(open(log))).at(-1)).toBe('/small');
  });

  it('has what it was given before there was a journal', async () => {
    const log = newLog();
    await viewAll(open(log, { worker: noOpfs }), ten);
    await closeAll();
    await statusOf(open(log), ({ guarded }) => guarded);
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual(ten);
  });
});

describe('what the edge has', () => {
  it('leaves the journal, and does not come back', async () => {
    const log = newLog();
    const client = open(log);
    await viewAll(client, ten);
    expect(await total(log)).toBeGreaterThan(1_000);
    await acknowledge(client, log, 10);
    await until(async () => (await total(log)) === 0, 'the file is empty');
    await view(client, '/next');
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual(['/next']);
  });

  it('leaves what ended tabs wrote as well, and their files are used again', async () => {
    const log = newLog();
    const tabs = [open(log), open(log), open(log)];
    for (const [i, path] of ten.entries()) await view(tabs[i % 3]!, path);
    await closeAll();
    for (let visit = 0; visit < 3; visit++) {
      await view(open(log), `/visit ${visit}`);
      await closeAll();
    }
    expect(await sizes(log)).toHaveLength(3);
    const client = open(log);
    await statusOf(client, ({ guarded }) => guarded);
    await acknowledge(client, log, 13);
    await until(async () => (await total(log)) === 0, 'all files are empty');
    await view(client, '/next');
    await wipe(log);
    await view(client, '/another');
    expect(await pathsOf(client)).toEqual(['/next', '/another']);
    expect(await sizes(log)).toHaveLength(3);
  });

  it('but for dead letters, which come back as events', async () => {
    const log = newLog();
    const client = open(log);
    await viewAll(client, ten);
    const { events } = await client.query({});
    const { position, line } = events[3]!;
    const reason = new MillraceError('event.invalid', 'bad', { path: '', value: '', reason: 'bad' });
    const letter = deadLetterEntry(pushDeadLetter(position, line, reason.toWire(), 1));
    await put(log, [letter, ['sync/rejected', 1]]);
    await acknowledge(client, log, 10);
    await until(async () => (await total(log)) < 1_000, 'the others are gone');
    await viewAll(client, ['/a', '/b']);
    await acknowledge(client, log, 12);
    await closeAll();
    await view(open(log), '/c');
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual(['/3', '/c']);
  });
});

describe('what is forgotten', () => {
  it('leaves the files of all tabs, of those that ended too, and never comes back', async () => {
    const log = newLog();
    await viewAll(open(log), ['/ended']);
    await closeAll();
    const [one, two] = [open(log), open(log)];
    await viewAll(one, ['/one']);
    await viewAll(two, ['/two']);
    await one.forget();
    await until(async () => (await total(log)) === 0, 'all files are empty');
    await view(two, '/later');
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual(['/later']);
  });

  it('does not come back where the browser was killed before the files were emptied', async () => {
    const log = newLog();
    await viewAll(open(log), ten);
    await closeAll();
    const frame = encodeFrame([JSON.stringify({ log: 1, forgotten: 1 })]);
    await change(log, 'state', (file) => file.write(frame));
    await wipe(log);
    const client = open(log);
    await view(client, '/next');
    expect(await pathsOf(client)).toEqual(['/next']);
    expect(await statusOf(client, ({ guarded }) => guarded)).not.toHaveProperty('wiped');
  });

  it('is guarded anew where the log was not emptied after all', async () => {
    const log = newLog();
    await viewAll(open(log), ten);
    await closeAll();
    const frame = encodeFrame([JSON.stringify({ log: 1, forgotten: 1 })]);
    await change(log, 'state', (file) => file.write(frame));
    await statusOf(open(log), ({ guarded }) => guarded);
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual(ten);
  });

  it('leaves the files of a log whose consent is withdrawn, too', async () => {
    const log = newLog();
    const [one, two] = [open(log), open(log)];
    await viewAll(one, ['/one']);
    await viewAll(two, ['/two']);
    await one.withdrawConsent();
    await one.forget();
    await until(async () => (await total(log)) === 0, 'all files are empty');
    await closeAll();
    await wipe(log);
    const again = open(log);
    await statusOf(again, ({ state }) => state === 'withdrawn');
    await again.grantConsent();
    expect(await pathsOf(again)).toEqual([]);
  });
});

describe('consent', () => {
  it('comes before there is so much as a folder', async () => {
    const log = newLog();
    const client = open(log, { consent: 'required' });
    await statusOf(client, ({ state }) => state === 'no-consent');
    await expect(Promise.resolve(view(client, '/a'))).rejects.toMatchObject({ code: 'consent.missing' });
    expect(await hasFolder(log)).toBe(false);
    await client.grantConsent();
    await view(client, '/b');
    expect(await hasFolder(log)).toBe(true);
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log, { consent: 'required' })), 'it is not asked for again').toEqual([
      '/b',
    ]);
  });
});

describe('no journal to be had', () => {
  it('the log works without, and says so', async () => {
    const client = open(newLog(), { worker: noOpfs });
    await viewAll(client, ten);
    expect(await statusOf(client, ({ bytes }) => bytes > 0)).toMatchObject({
      storage: 'indexeddb',
      guarded: false,
      committed: 10,
    });
    await client.forget();
  });

  it('for want of room: the log goes on, says so, and is guarded again once there is some', async () => {
    const log = newLog();
    const client = open(log, { worker: fullJournal });
    await viewAll(client, ten);
    await statusOf(client, ({ bytes, guarded }) => bytes > 0 && !guarded);
    new BroadcastChannel('room').postMessage('made');
    await statusOf(client, ({ guarded }) => guarded);
    await viewAll(client, ['/a', '/b']);
    await closeAll();
    await wipe(log);
    expect(await pathsOf(open(log))).toEqual([...ten, '/a', '/b']);
  });
});
