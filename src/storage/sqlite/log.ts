/** A log's transactions in SQLite. None waits: one that needs what is in the archive is rolled back, and run anew with it. */
import { MillraceError } from '../../errors.ts';
import type { Undo } from '../../ports.ts';
import type { Position } from '../position.ts';
import { archiveLimits, type SegmentArchive } from '../segments/archive.ts';
import { ArchivedLines, LinesAbsent, type ArchivedPart } from '../segments/archived-lines.ts';
import { runScript, type Script } from '../segments/script.ts';
import type { SegmentDatabase, SegmentTables } from '../segments/tables.ts';
import type { MaybePromise } from '../storage.ts';
import { Archiver } from './archiver.ts';
import { ArchiveTables } from './archive-tables.ts';
import type { SqlDatabase } from './sql-database.ts';
import { SqliteTables } from './tables.ts';

export interface SqliteArchive {
  readonly store: SegmentArchive;
  /** A new key each time, that no other log has; of an object whose first event stands there. */
  readonly newKey: (first: Position) => string;
  /** The most bytes of objects that are kept in memory. Default: 16 MiB. */
  readonly cacheBytes?: number | undefined;
  /**
   * Resolves when all that was written to the database before is on disk, where that comes later than the answer: nothing
   * is put to the archive, nor deleted there, before. Default: it is at once.
   */
  readonly flush?: (() => Promise<void>) | undefined;
}

/** What a log has in its archive. */
export interface ArchivedStats {
  readonly segments: number;
  readonly objects: number;
  /** Of lines. */
  readonly bytes: number;
  /** Of objects, in memory. */
  readonly cachedBytes: number;
}

export class SqliteLog implements SegmentDatabase {
  readonly log: string;
  /** None without an archive. */
  readonly archiver: Archiver | undefined;
  readonly #database: SqlDatabase;
  readonly #tables: SqliteTables;
  readonly #archive: ArchiveTables;
  readonly #archived: ArchivedLines;
  #isArchived: boolean | undefined;

  constructor(database: SqlDatabase, log: string, archive?: SqliteArchive) {
    this.log = log;
    this.#database = database;
    this.#archive = new ArchiveTables(database, log);
    const { store, cacheBytes } = archive ?? {};
    this.#archived = new ArchivedLines({ log, archive: store, cacheBytes });
    const onAbsent = (part: ArchivedPart): never => {
      throw new LinesAbsent(part);
    };
    this.#tables = new SqliteTables(database, log, { archived: this.#archived, onAbsent });
    this.archiver = archive && this.#archiver(archive);
  }

  /** Whether anything may be in the archive. */
  get isArchived(): boolean {
    try {
      return (this.#isArchived ??= this.#archive.any);
    } catch (error) {
      throw this.#failed('read', error);
    }
  }

  archived(): ArchivedStats {
    return { ...this.#archive.stats(), cachedBytes: this.#archived.cachedBytes };
  }

  transact<T>(mode: 'read' | 'write', script: (tables: SegmentTables) => Script<T>): MaybePromise<T> {
    try {
      return this.#run(mode, script);
    } catch (error) {
      if (error instanceof LinesAbsent) return this.#fetching(mode, script, error.part);
      throw this.#failed(mode, error);
    }
  }

  /** Runs a script that only looks, and may wait: all of the archive that it meets is at hand until the undo. */
  async gather(script: (tables: SegmentTables) => Script<unknown>): Promise<Undo> {
    const held: Undo[] = [];
    const release = (): void => held.forEach((undo) => undo());
    const objects = new Set<string>();
    const archived = this.#archived;
    const onAbsent = async (part: ArchivedPart): Promise<Uint8Array<ArrayBuffer>> => {
      checkObjects(objects.add(part.segment.object).size);
      held.push(await archived.hold(part));
      return archived.find(part)!;
    };
    try {
      await runScript(script(new SqliteTables(this.#database, this.log, { archived, onAbsent })));
      return release;
    } catch (error) {
      release();
      throw this.#failed('read', error);
    }
  }

  close(): void {
    this.#isArchived = false;
    this.#database.close?.();
  }

  #run<T>(mode: 'read' | 'write', script: (tables: SegmentTables) => Script<T>): T {
    const run = (): T => runScript(script(this.#tables)) as T;
    // A script over SQLite never waits, so that a read sees one state of the log without a transaction.
    return mode === 'write' ? this.#database.transaction(run) : run();
  }

  async #fetching<T>(
    mode: 'read' | 'write',
    script: (tables: SegmentTables) => Script<T>,
    first: ArchivedPart,
  ): Promise<T> {
    const held: Undo[] = [];
    try {
      for (let part = first; ;) {
        held.push(await this.#archived.hold(part));
        try {
          return this.#run(mode, script);
        } catch (error) {
          if (!(error instanceof LinesAbsent)) throw this.#failed(mode, error);
          ({ part } = error);
        }
      }
    } finally {
      for (const undo of held) undo();
    }
  }

  #archiver({ store, newKey, flush = () => Promise.resolve() }: SqliteArchive): Archiver {
    return new Archiver({
      log: this.log,
      archive: store,
      archived: this.#archived,
      tables: this.#archive,
      newKey,
      flush,
      transact: (run) => {
        // What may be in the archive from now on is looked for.
        this.#isArchived = undefined;
        try {
          return this.#database.transaction(() => run(this.#tables));
        } catch (error) {
          throw this.#failed('write', error);
        }
      },
    });
  }

  #failed(mode: 'read' | 'write', cause: unknown): MillraceError {
    if (cause instanceof MillraceError) return cause;
    const message = `the log ${this.log} could not ${mode}: ${(cause as Error).message}; nothing was changed`;
    const details = { log: this.log, operation: mode };
    return new MillraceError('storage.failed', message, details, { cause });
  }
}

function checkObjects(count: number): void {
  const maximum = archiveLimits.commitObjects;
  if (count <= maximum) return;
  const message = `a commit's ids are stored in more than ${maximum} objects of the archive: bring fewer of what is stored for long`;
  throw new MillraceError('limit.exceeded', message, {
    limit: 'commit.archivedObjects',
    maximum,
    actual: count,
  });
}
