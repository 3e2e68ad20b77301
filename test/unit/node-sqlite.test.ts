import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openNodeDatabase, openNodeSqlite } from 'millrace/node';
import { createEventFactory, hostPorts, openSqlite, type MillraceError } from 'millrace';

const event = createEventFactory({ source: 'till', ports: hostPorts });
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-node-'));
  path = join(folder, 'shop.sqlite');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function failure(open: () => unknown): MillraceError<'storage.open-failed'> {
  try {
    open();
  } catch (error) {
    return error as MillraceError<'storage.open-failed'>;
  }
  throw new Error('it has opened');
}

describe('a log in a file', () => {
  test('is there again when it is opened again, and its file is released by close', async () => {
    const first = openNodeSqlite(path);
    await first.commit([{ events: [event('cart.opened', {}, { subject: 'cart-1' })] }]);
    await first.close();

    // The last that closes a file in WAL mode takes its side files away.
    expect(() => readFileSync(`${path}-wal`)).toThrow('ENOENT');
    const second = openNodeSqlite(path);
    expect((await second.read({})).events).toMatchObject([{ event: { type: 'cart.opened' } }]);
    await second.close();
  });

  test('shares it with logs of other names, which stay apart', async () => {
    const database = openNodeDatabase(path);
    const [carts, orders] = ['carts', 'orders'].map((log) => openSqlite(database, { log }));
    await carts!.commit([{ events: [event('cart.opened', {})] }]);
    expect((await orders!.read({})).events).toEqual([]);
    database.close!();
  });

  test('ends with its storage where it is in memory', async () => {
    const storage = openNodeSqlite(':memory:');
    await storage.commit([{ events: [event('cart.opened', {})] }]);
    await storage.close();
    expect((await openNodeSqlite(':memory:').read({})).events).toEqual([]);
  });

  test.each([
    ['relaxed', 1],
    ['strict', 2],
  ] as const)('waits for the disk as `%s` says', (durability, synchronous) => {
    const database = openNodeDatabase(path, { durability });
    expect(database.exec('PRAGMA synchronous')).toMatchObject([{ synchronous }]);
    expect(database.exec('PRAGMA journal_mode')).toMatchObject([{ journal_mode: 'wal' }]);
    database.close!();
  });
});

describe('a file that does not open says why, and what to do', () => {
  test('another process holds it', () => {
    const holder = new DatabaseSync(path);
    holder.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE');
    const error = failure(() => openNodeSqlite(path, { busyTimeoutMs: 0 }));
    expect(error).toMatchObject({
      code: 'storage.open-failed',
      details: { log: 'log', reason: 'blocked' },
    });
    expect(error.message).toContain(path);
    expect(error.message).toContain('busyTimeoutMs');

    holder.exec('COMMIT');
    holder.close();
    void openNodeSqlite(path).close();
  });

  test('it is no database, and is left as it was', () => {
    const text = 'a list of what to buy\n'.repeat(100);
    writeFileSync(path, text);
    const error = failure(() => openNodeSqlite(path));
    expect(error).toMatchObject({ code: 'storage.open-failed', details: { reason: 'damaged' } });
    expect(error.message).toContain('move it away');
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('its content is damaged', async () => {
    const storage = openNodeSqlite(path);
    await storage.commit([{ events: [event('cart.opened', {})] }]);
    await storage.close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xff, 100));
    const error = failure(() => openNodeSqlite(path));
    expect(error).toMatchObject({ code: 'storage.open-failed', details: { reason: 'damaged' } });
    expect(error.message).toContain('.recover');
  });

  test('its folder is missing', () => {
    const error = failure(() => openNodeSqlite(join(folder, 'none', 'shop.sqlite')));
    expect(error).toMatchObject({ code: 'storage.open-failed', details: { log: 'log' } });
    expect(error.details.reason).toBeUndefined();
    expect(error.message).toContain('make the folder');
  });

  test('a transaction that SQLite has ended by itself gives its own error', () => {
    const database = openNodeDatabase(path);
    const run = (): void =>
      database.transaction(() => {
        database.exec('ROLLBACK');
        throw new Error('the disk is full');
      });
    expect(run).toThrow('the disk is full');
    expect(() => database.transaction(() => database.exec('SELECT 1'))).not.toThrow();
    database.close!();
  });
});
