/**
 * A log in IndexedDB, shared by all tabs and workers of an origin. Commits that wait go down together, and other
 * tabs hear of them by a BroadcastChannel.
 */
import type { IDBPDatabase } from 'idb';
import { MillraceError } from '../errors.ts';
import { groupCommits } from './group-commit.ts';
import { openLogDatabase, type LogSchema } from './indexeddb/schema.ts';
import { IndexedDbTables } from './indexeddb/tables.ts';
import { runScript, type Script } from './segments/script.ts';
import { SegmentStorage } from './segments/segment-storage.ts';
import type { SegmentDatabase, SegmentTables } from './segments/tables.ts';
import type { Storage } from './storage.ts';

export interface IndexedDbOptions {
  /** The log's name, and the database's: `millrace` + name. Default: `log`. */
  readonly log?: string;
  /**
   * What a commit waits for. `relaxed` (default): the operating system has the data, no kill of the browser loses it.
   * `strict`: it is on the disk, a power cut loses nothing either; 1 to 1.5 times the time.
   */
  readonly durability?: 'relaxed' | 'strict';
}

/** @throws MillraceError `storage.open-failed` where there is no IndexedDB, or it refuses. */
export async function openIndexedDb(options: IndexedDbOptions = {}): Promise<Storage> {
  const log = options.log ?? 'log';
  const database = new IndexedDbLog(log, options.durability ?? 'relaxed', await open(log));
  const storage = new SegmentStorage(database);
  const channel = new BroadcastChannel(`millrace:${log}`);
  channel.addEventListener('message', ({ data }) => storage.hint(data as number));
  // Our own commits only: a hint that came in is not sent on, for it would go round for ever.
  database.onWritten = (head) => channel.postMessage(head);
  database.onClosed = () => channel.close();
  return groupCommits(storage);
}

async function open(log: string): Promise<IDBPDatabase<LogSchema>> {
  try {
    return await openLogDatabase(log);
  } catch (cause) {
    const message = `the log ${log} could not be opened in IndexedDB: ${(cause as Error).message}`;
    throw new MillraceError('storage.open-failed', message, { log }, { cause });
  }
}

class IndexedDbLog implements SegmentDatabase {
  readonly log: string;
  onWritten: (head: number) => void = () => {};
  onClosed: () => void = () => {};
  readonly #durability: 'relaxed' | 'strict';
  readonly #database: IDBPDatabase<LogSchema>;

  constructor(log: string, durability: 'relaxed' | 'strict', database: IDBPDatabase<LogSchema>) {
    this.log = log;
    this.#durability = durability;
    this.#database = database;
  }

  async transact<T>(mode: 'read' | 'write', script: (tables: SegmentTables) => Script<T>): Promise<T> {
    try {
      return await (mode === 'read' ? this.#read(script) : this.#write(script));
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      const message = `the log ${this.log} could not ${mode}: ${(cause as Error).message}; nothing was changed`;
      throw new MillraceError('storage.failed', message, { log: this.log, operation: mode }, { cause });
    }
  }

  close(): void {
    this.onClosed();
    this.#database.close();
  }

  async #read<T>(script: (tables: SegmentTables) => Script<T>): Promise<T> {
    const transaction = this.#database.transaction(this.#database.objectStoreNames, 'readonly');
    return runScript(script(new IndexedDbTables(transaction)));
  }

  async #write<T>(script: (tables: SegmentTables) => Script<T>): Promise<T> {
    const options = { durability: this.#durability };
    const transaction = this.#database.transaction(
      this.#database.objectStoreNames,
      'readwrite',
      options,
    );
    const tables = new IndexedDbTables(transaction);
    // Both are awaited together: a transaction that aborts while the script runs is no unhandled rejection then.
    const run = this.#run(script, tables, transaction);
    const [result] = await Promise.all([run, transaction.done]);
    if (tables.written !== undefined) this.onWritten(tables.written);
    return result;
  }

  async #run<T>(
    script: (tables: SegmentTables) => Script<T>,
    tables: IndexedDbTables,
    transaction: { commit(): void; abort(): void },
  ): Promise<T> {
    try {
      const result = await runScript(script(tables));
      transaction.commit();
      return result;
    } catch (error) {
      try {
        transaction.abort();
      } catch {
        // The transaction has aborted by itself already, and its error is on its way.
      }
      throw error;
    }
  }
}
