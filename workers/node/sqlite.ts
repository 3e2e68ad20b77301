/**
 * A log in a file, on Node's own SQLite: `millrace/node`. Needs Node 22.16 or newer, and no package.
 *
 * A file may hold several logs, and several processes may have it open: one writes at a time, and the others wait for it.
 *
 * @example
 * const storage = openNodeSqlite('shop.sqlite');
 * await storage.commit([{ events: [event('product.added', { productId: 'espresso' })] }]);
 * await storage.close();
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { hasCode, MillraceError, type ErrorDetails } from '../../src/errors.ts';
import {
  openSqlite,
  type SqlDatabase,
  type SqliteOptions,
  type SqliteStorage,
  type SqlRow,
} from '../../src/storage/sqlite.ts';

export interface NodeDatabaseOptions {
  /**
   * What a commit waits for, as in `openIndexedDb`. `relaxed` (default, SQLite's `synchronous = NORMAL`): the operating
   * system has the data, no kill of the process loses it; a power cut may lose the last commits, and never leaves half
   * of one. `strict` (`synchronous = FULL`): it is on the disk, a power cut loses nothing either; a commit waits for it.
   */
  readonly durability?: 'relaxed' | 'strict';
  /** How long a call waits, with the thread, while another process writes. Default: 5,000. */
  readonly busyTimeoutMs?: number;
}

export interface NodeSqliteOptions extends SqliteOptions, NodeDatabaseOptions {}

/**
 * Opens the log in the file `path`, which is made where there is none; `:memory:` is a log that ends with the process.
 * Its file is in WAL mode: beside it stand `-wal` and `-shm`, which belong to it and are to be moved and copied with it.
 * A network drive has no shared memory for those: keep it on a local one. `close` releases the file.
 *
 * @throws MillraceError `storage.open-failed`: its `reason` is `blocked` where another process holds the file, `damaged`
 * where it is no sound database, and none where it cannot be opened at all. The file is left as it was.
 */
export function openNodeSqlite(path: string, options: NodeSqliteOptions = {}): SqliteStorage {
  const log = options.log ?? 'log';
  let database: SqlDatabase | undefined;
  try {
    database = openNodeDatabase(path, options);
    return openSqlite(database, options);
  } catch (error) {
    database?.close?.();
    throw openFailed(path, log, error);
  }
}

/**
 * The file alone, as `openSqlite` asks for a database: for several logs in one file, which `close` of any of them releases.
 *
 * @throws Error of `node:sqlite`, as it is; `openNodeSqlite` makes it one of Millrace's, with the remedy
 */
export function openNodeDatabase(path: string, options: NodeDatabaseOptions = {}): SqlDatabase {
  const { durability = 'relaxed', busyTimeoutMs = 5000 } = options;
  const database = new DatabaseSync(path);
  const statements = new Map<string, StatementSync>();
  try {
    // The time comes first: what follows may have to wait already.
    database.exec(`PRAGMA busy_timeout = ${Math.trunc(busyTimeoutMs)}`);
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    exec(sql, ...bindings) {
      let statement = statements.get(sql);
      if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)));
      return statement.all(...(bindings as SQLInputValue[])) as unknown as SqlRow[];
    },
    transaction: (run) => transact(database, run),
    close: () => database.close(),
  };
}

function transact<T>(database: DatabaseSync, run: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = run();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // A full disk has SQLite roll back by itself: then there is nothing to roll back, and the first error counts.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

type Reason = ErrorDetails['storage.open-failed']['reason'];

/** By SQLite's result code (https://sqlite.org/rescode.html), what it is and what to do. */
const REMEDIES: Readonly<Record<number, readonly [reason: Reason, remedy: string]>> = {
  5: [
    'blocked',
    'another process holds it: try again when it has let go, or give a longer busyTimeoutMs',
  ],
  8: [undefined, 'this process may not write there: change the permissions, or the path'],
  11: [
    'damaged',
    'its content is damaged: move it away, and restore a copy, or salvage it with `sqlite3 FILE .recover`',
  ],
  13: [undefined, 'the disk is full: make room'],
  14: [
    undefined,
    'its folder is missing, or this process may not use it: make the folder, or change the path',
  ],
  26: ['damaged', 'it holds something else: move it away, or give another path'],
};

function openFailed(path: string, log: string, error: unknown): MillraceError<'storage.open-failed'> {
  // What `openSqlite` refuses has SQLite's own error as its cause.
  const cause = hasCode(error, 'storage.open-failed') ? (error as Error).cause : error;
  const code = (cause as { errcode?: number } | undefined)?.errcode;
  // An extended code has its plain one in the lowest byte.
  const [reason, remedy] = (code !== undefined && REMEDIES[code & 0xff]) || [];
  const text = (error as Error).message;
  const message = `the file ${path} could not be opened: ${text}${remedy === undefined ? '' : `; ${remedy}`}`;
  return new MillraceError(
    'storage.open-failed',
    message,
    { log, ...(reason && { reason }) },
    { cause },
  );
}
