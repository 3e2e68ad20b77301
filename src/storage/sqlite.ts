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
import type { Undo } from '../ports.ts';
import { wantedFacts } from './commit-plan.ts';
import type { Position } from './position.ts';
import { eraseEvents } from './segments/erase.ts';
import { findByIds } from './segments/find.ts';
import { wait, type Script } from './segments/script.ts';
import { SegmentStorage } from './segments/segment-storage.ts';
import { emptySegmentHead, type SegmentTables } from './segments/tables.ts';
import type { ArchiveOptions, ArchiveStep } from './sqlite/archive-choice.ts';
import type { SqlDatabase } from './sqlite/sql-database.ts';
import { SqliteLog, type ArchivedStats, type SqliteArchive } from './sqlite/log.ts';
import { createTables } from './sqlite/tables.ts';
import type { Commit, MaybePromise } from './storage.ts';

export type { SegmentArchive } from './segments/archive.ts';
export type { ArchivedStats, SqliteArchive } from './sqlite/log.ts';
export type { ArchiveOptions, ArchiveStep } from './sqlite/archive-choice.ts';
export type { SqlDatabase, SqlRow, SqlValue } from './sqlite/sql-database.ts';

export interface SqliteOptions {
  /** The log's name: letters, digits and `_`. Logs of other names in the same database are apart. Default: `log`. */
  readonly log?: string;
  /** Where old segments may go: see `SqliteStorage.archive`. Default: nowhere. */
  readonly archive?: SqliteArchive | undefined;
}

/**
 * Every method answers at once, none returns a promise, but for what needs events that are in the archive.
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
  return new SqliteStorage(new SqliteLog(database, log, options.archive));
}

/**
 * A log whose events' data can be erased for good, for a person who asks to be forgotten, and whose old segments can go to
 * an archive, and are read from there.
 */
export class SqliteStorage extends SegmentStorage {
  readonly #log: SqliteLog;

  constructor(log: SqliteLog) {
    super(log);
    this.#log = log;
  }

  /**
   * Replaces the data of the events from `from` to `to`, both included, by `{"$erased":true}`; positions, ids, types and
   * times stay. A bounded step: gives the position up to which it is done, to go on after. Where events are in the archive,
   * they are brought back, and it is done when the archive has none of them any more.
   *
   * @throws MillraceError `storage.archive-failed`: to be asked for again
   */
  erase(from: Position, to: Position): MaybePromise<Position> {
    const erase = (): MaybePromise<Position> =>
      this.transact('write', (tables) => eraseEvents(tables, from, to));
    const { archiver } = this.#log;
    if (archiver === undefined) return erase();
    return archiver.alone(async () => {
      await archiver.recall(from, to);
      const done = await erase();
      while (!(await archiver.settle()));
      return done;
    });
  }

  /** The greatest UUIDv7 that was ever stored, '' where there is none: what is greater is provably not here. */
  maxId(): MaybePromise<string> {
    return this.transact('read', function* (tables) {
      return (yield* wait(tables.head()))?.maxId ?? '';
    });
  }

  /**
   * Moves old segments to the archive: a bounded step, one object at the most. Interrupted anywhere, it loses nothing.
   * Where there is no archive, there is nothing to do.
   *
   * @throws MillraceError `storage.archive-failed`, `storage.failed`: nothing was moved
   */
  async archive(options: ArchiveOptions): Promise<ArchiveStep> {
    return (await this.#log.archiver?.step(options)) ?? { more: false };
  }

  archived(): ArchivedStats {
    return this.#log.archived();
  }

  /**
   * Fetches what the commits' ids must be compared with from the archive, so that no transaction waits for it. It is at
   * hand until the undo. Nothing, at once, where nothing is in the archive.
   *
   * @throws MillraceError `storage.archive-failed`, `limit.exceeded`: the commits cannot be told from what is stored
   */
  prepare(batch: readonly Commit[]): Promise<Undo> | undefined {
    if (!this.#log.isArchived) return undefined;
    return this.#log.gather((tables) => lookUpIds(tables, batch));
  }
}

function* lookUpIds(tables: SegmentTables, batch: readonly Commit[]): Script<void> {
  const head = (yield* wait(tables.head())) ?? emptySegmentHead;
  const { ids } = wantedFacts(batch, head);
  if (ids.length > 0) yield* findByIds(tables, ids, head);
}

function openFailed(log: string, reason: string, cause?: unknown): MillraceError<'storage.open-failed'> {
  return new MillraceError(
    'storage.open-failed',
    `the log ${log} could not be opened: ${reason}`,
    { log },
    { cause },
  );
}
