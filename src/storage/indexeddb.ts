/**
 * A log in IndexedDB, shared by all tabs and workers of an origin. Commits that wait go down together, and other
 * tabs hear of them by a BroadcastChannel.
 *
 * The browser may take the database away: another tab upgrades or deletes it, or site data are cleared. It is opened again
 * when it is next asked for; one that was deleted is an empty log then.
 */
import { MillraceError } from '../errors.ts';
import { hostPorts, type Undo } from '../ports.ts';
import { groupCommits } from './group-commit.ts';
import { completion } from './indexeddb/request.ts';
import { BLOCKED, openLogDatabase } from './indexeddb/schema.ts';
import { IndexedDbTables } from './indexeddb/tables.ts';
import { runScript, type Script } from './segments/script.ts';
import { SegmentStorage } from './segments/segment-storage.ts';
import type { SegmentDatabase, SegmentHead, SegmentTables } from './segments/tables.ts';
import type { Storage } from './storage.ts';

export interface IndexedDbOptions {
  /** The log's name, and the database's: `millrace` + name. Default: `log`. */
  readonly log?: string;
  /**
   * What a commit waits for. `relaxed` (default): the operating system has the data, no kill of the browser loses it.
   * `strict`: it is on the disk, a power cut loses nothing either; 1 to 1.5 times the time.
   */
  readonly durability?: 'relaxed' | 'strict';
  /**
   * The browser has taken the database away: where this is given, the storage is closed then. Default: it is opened again
   * when it is next asked for.
   */
  readonly onLost?: () => void;
}

const HINT_MS = 10;

/** @throws MillraceError `storage.open-failed` where there is no IndexedDB, or it refuses. */
export async function openIndexedDb(options: IndexedDbOptions = {}): Promise<Storage> {
  const log = options.log ?? 'log';
  const database = new IndexedDbLog(log, options);
  await database.open();
  const storage = new SegmentStorage(database);
  const channel = new BroadcastChannel(`millrace:${log}`);
  channel.addEventListener('message', ({ data }) => storage.hint(data as number));
  // Our own commits only: a hint that came in is not sent on, for it would go round for ever.
  let last = 0;
  let undo: Undo | undefined;
  database.onWritten = (head) => {
    last = head;
    // Nobody who awaits a commit waits for the hint to the others too, and one is enough for many.
    undo ??= hostPorts.after(HINT_MS, () => {
      undo = undefined;
      channel.postMessage(last);
    });
  };
  database.onClosed = () => {
    undo?.();
    channel.close();
  };
  return groupCommits(storage);
}

/** By the error's name, why it could not be opened. Without a reason, there is no IndexedDB to be had here. */
const REASONS: Readonly<Record<string, 'newer' | 'blocked' | 'failed'>> = {
  VersionError: 'newer',
  [BLOCKED]: 'blocked',
  // What was killed while it wrote may hold the files yet, or the browser mends them: another try may find them well.
  UnknownError: 'failed',
  AbortError: 'failed',
};

async function open(log: string, onLost: () => void): Promise<IDBDatabase> {
  try {
    return await openLogDatabase(log, onLost);
  } catch (cause) {
    const { name, message: reason } = cause as Error;
    const newer = name === 'VersionError' ? '; another tab has upgraded it: reload the page' : '';
    const message = `the log ${log} could not be opened in IndexedDB: ${reason}${newer}`;
    const why = REASONS[name];
    const details = { log, ...(why && ({ reason: why } as const)) };
    throw new MillraceError('storage.open-failed', message, details, { cause });
  }
}

class IndexedDbLog implements SegmentDatabase {
  readonly log: string;
  onWritten: (head: number) => void = () => {};
  onClosed: () => void = () => {};
  readonly #options: IndexedDbOptions;
  /** Missing while the browser has taken it away. */
  #database: IDBDatabase | undefined;
  #opening: Promise<void> | undefined;
  /** As this tab wrote it last: another may have since. */
  #head: SegmentHead | undefined;
  #closed = false;

  constructor(log: string, options: IndexedDbOptions) {
    this.log = log;
    this.#options = options;
  }

  /** For all who ask at the same time, once. */
  open(): Promise<void> {
    return (this.#opening ??= this.#open().finally(() => (this.#opening = undefined)));
  }

  async transact<T>(mode: 'read' | 'write', script: (tables: SegmentTables) => Script<T>): Promise<T> {
    try {
      return await (mode === 'read' ? this.#read(script) : this.#write(script));
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      const { message: reason, name } = cause as Error;
      const message = `the log ${this.log} could not ${mode}: ${reason || name}; nothing was changed`;
      throw new MillraceError('storage.failed', message, { log: this.log, operation: mode }, { cause });
    }
  }

  close(): void {
    this.#closed = true;
    this.onClosed();
    this.#database?.close();
  }

  async #open(): Promise<void> {
    const database: IDBDatabase = await open(this.log, () => {
      if (this.#database === database) this.#lost();
    });
    if (this.#closed) database.close();
    this.#database = database;
  }

  #lost(): void {
    const { onLost } = this.#options;
    this.#database = undefined;
    if (onLost === undefined) return;
    this.#closed = true;
    onLost();
  }

  /** Opens the database where it was taken away, at most once. */
  async #begin(mode: 'readonly' | 'readwrite'): Promise<IDBTransaction> {
    if (this.#database !== undefined) {
      try {
        return this.#transaction(this.#database, mode);
      } catch (error) {
        // Taken away, and this side has not heard of it yet.
        if ((error as Error).name !== 'InvalidStateError') throw error;
        this.#lost();
      }
    }
    await this.#reopen();
    return this.#transaction(this.#database!, mode);
  }

  /** Fails as `storage.open-failed` where only a reload can help, else as what may be tried again. */
  async #reopen(): Promise<void> {
    const { log } = this;
    if (this.#closed) throw new MillraceError('storage.closed', `the log ${log} is closed`, { log });
    try {
      await this.open();
    } catch (error) {
      const { cause, message } = error as Error;
      if ((cause as Error).name === 'VersionError') throw error;
      throw new MillraceError('storage.failed', message, { log, operation: 'open' }, { cause });
    }
  }

  #transaction(database: IDBDatabase, mode: 'readonly' | 'readwrite'): IDBTransaction {
    return database.transaction(database.objectStoreNames, mode, {
      durability: this.#options.durability ?? 'relaxed',
    });
  }

  async #read<T>(script: (tables: SegmentTables) => Script<T>): Promise<T> {
    const transaction = await this.#begin('readonly');
    return runScript(script(new IndexedDbTables(transaction)));
  }

  async #write<T>(script: (tables: SegmentTables) => Script<T>): Promise<T> {
    try {
      return await this.#attempt(script, this.#head);
    } catch (error) {
      if (error !== STALE) throw error;
      // Another tab has written since: once more, from where the log stands now.
      return this.#attempt(script, undefined);
    }
  }

  async #attempt<T>(
    script: (tables: SegmentTables) => Script<T>,
    assumed: SegmentHead | undefined,
  ): Promise<T> {
    const transaction = await this.#begin('readwrite');
    const tables = new IndexedDbTables(transaction, assumed);
    // Both are awaited together: a transaction that aborts while the script runs is no unhandled rejection then.
    const done = completion(transaction);
    const [result] = await Promise.all([run(script, tables, transaction), done]);
    this.#head = tables.written ?? this.#head;
    if (tables.stored !== undefined) this.onWritten(tables.stored);
    return result;
  }
}

/** What a transaction is aborted for that began with a head that is the log's no more. */
const STALE = new Error('another tab has written');

async function run<T>(
  script: (tables: SegmentTables) => Script<T>,
  tables: IndexedDbTables,
  transaction: IDBTransaction,
): Promise<T> {
  try {
    const result = await runScript(script(tables));
    if (!(await tables.headHeld())) throw STALE;
    transaction.commit();
    return result;
  } catch (error) {
    // What a script throws that was told a stale head says nothing of the log.
    const stale = error === STALE || !(await tables.headHeld().catch(() => true));
    try {
      transaction.abort();
    } catch {
      // The transaction has aborted by itself already, and its error is on its way.
    }
    throw stale ? STALE : error;
  }
}
