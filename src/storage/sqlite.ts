/**
 * A log on SQLite: in a Durable Object, and on `node:sqlite` alike. The driver asks for two functions, not for a library.
 *
 * @example In a Durable Object
 * openSqlite({
 *   exec: (sql, ...bindings) => ctx.storage.sql.exec(sql, ...bindings).toArray(),
 *   transaction: (run) => ctx.storage.transactionSync(run),
 * });
 */
import { MillraceError } from '../errors.ts';
import type { SqlDatabase } from './sqlite/sql-database.ts';
import { createTables, SqliteTables } from './sqlite/tables.ts';
import { runScript, wait } from './segments/script.ts';
import type { SegmentDatabase, SegmentTables } from './segments/tables.ts';
import { eraseEvents } from './segments/erase.ts';
import { SegmentStorage } from './segments/segment-storage.ts';
import type { Position } from './position.ts';
import type { MaybePromise } from './storage.ts';

export type { SqlDatabase, SqlRow, SqlValue } from './sqlite/sql-database.ts';

export interface SqliteOptions {
  /** The log's name: letters, digits and `_`. Logs of other names in the same database are apart. Default: `log`. */
  readonly log?: string;
}

/**
 * Every method answers at once, none returns a promise.
 *
 * @throws MillraceError `storage.open-failed` where the database refuses the tables.
 */
export function openSqlite(database: SqlDatabase, options: SqliteOptions = {}): SqliteStorage {
  const log = options.log ?? 'log';
  if (!/^[A-Za-z0-9_]{1,64}$/.test(log))
    throw openFailed(log, 'a name has 1 to 64 letters, digits or _');
  try {
    database.transaction(() => createTables(database, log));
  } catch (cause) {
    throw openFailed(log, (cause as Error).message, cause);
  }
  return new SqliteStorage(new SqliteLog(database, log));
}

/** A log whose events' data can be erased for good, for a person who asks to be forgotten. */
export class SqliteStorage extends SegmentStorage {
  /**
   * Replaces the data of the events from `from` to `to`, both included, by `{"$erased":true}`; positions, ids, types and
   * times stay. A bounded step: gives the position up to which it is done, to go on after.
   */
  erase(from: Position, to: Position): MaybePromise<Position> {
    return this.transact('write', (tables) => eraseEvents(tables, from, to));
  }

  /** The greatest UUIDv7 that was ever stored, '' where there is none: what is greater is provably not here. */
  maxId(): MaybePromise<string> {
    return this.transact('read', function* (tables) {
      return (yield* wait(tables.head()))?.maxId ?? '';
    });
  }
}

class SqliteLog implements SegmentDatabase {
  readonly log: string;
  readonly #database: SqlDatabase;
  readonly #tables: SqliteTables;

  constructor(database: SqlDatabase, log: string) {
    this.log = log;
    this.#database = database;
    this.#tables = new SqliteTables(database, log);
  }

  transact<T>(
    mode: 'read' | 'write',
    script: (tables: SegmentTables) => Generator<Promise<unknown>, T, unknown>,
  ): T {
    const run = (): T => runScript(script(this.#tables)) as T;
    try {
      // A script over SQLite never waits, so that a read sees one state of the log without a transaction.
      return mode === 'write' ? this.#database.transaction(run) : run();
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      const message = `the log ${this.log} could not ${mode}: ${(cause as Error).message}; nothing was changed`;
      throw new MillraceError('storage.failed', message, { log: this.log, operation: mode }, { cause });
    }
  }

  close(): void {
    this.#database.close?.();
  }
}

function openFailed(log: string, reason: string, cause?: unknown): MillraceError<'storage.open-failed'> {
  return new MillraceError(
    'storage.open-failed',
    `the log ${log} could not be opened: ${reason}`,
    { log },
    { cause },
  );
}
