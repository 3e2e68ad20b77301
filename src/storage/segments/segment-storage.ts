/** The storage interface over any database that can hold segments: one log, whatever it stands on. */
import { MillraceError } from '../../errors.ts';
import type { Undo } from '../../ports.ts';
import { checkCommits, checkList, checkQuery, checkTrim } from '../check-input.ts';
import { CommitListeners } from '../commit-listeners.ts';
import { wait, whenDone, type Script } from './script.ts';
import { commitSegments } from './commit.ts';
import { readSegments } from './read.ts';
import { emptySegmentHead, type SegmentDatabase, type SegmentTables } from './tables.ts';
import { compactSegments, trimSegments } from './upkeep.ts';
import type { Position } from '../position.ts';
import type {
  Commit,
  CommitResult,
  ListOptions,
  MaybePromise,
  Page,
  ProducerHead,
  Query,
  Storage,
  StorageStats,
  StoredValue,
} from '../storage.ts';

export class SegmentStorage implements Storage {
  readonly #database: SegmentDatabase;
  readonly #listeners = new CommitListeners();
  #closed = false;

  constructor(database: SegmentDatabase) {
    this.#database = database;
  }

  commit(batch: readonly Commit[]): MaybePromise<readonly CommitResult[]> {
    checkCommits(batch);
    const plan = this.transact('write', (tables) => commitSegments(tables, batch));
    return whenDone(plan, ({ events, head, results }) => {
      if (events.length > 0) this.#listeners.notify(head.position);
      return results;
    });
  }

  read(query: Query): MaybePromise<Page> {
    const bounded = checkQuery(query);
    return this.transact('read', (tables, log) => readSegments(tables, bounded, log));
  }

  get(key: string): MaybePromise<StoredValue | undefined> {
    return this.transact('read', (tables) => wait(tables.value(key)));
  }

  list(
    prefix: string,
    options: ListOptions = {},
  ): MaybePromise<readonly (readonly [string, StoredValue])[]> {
    const { after, limit } = checkList(options);
    return this.transact('read', (tables) => wait(tables.values(prefix, after, limit)));
  }

  producer(id: string): MaybePromise<ProducerHead | undefined> {
    return this.transact('read', function* (tables) {
      return (yield* wait(tables.producers([id]))).get(id);
    });
  }

  version(subject: string): MaybePromise<number> {
    return this.transact('read', function* (tables) {
      return (yield* wait(tables.versions([subject]))).get(subject) ?? 0;
    });
  }

  trim(until: Position): MaybePromise<void> {
    checkTrim(until);
    return this.transact('write', (tables) => trimSegments(tables, until));
  }

  compact(): MaybePromise<boolean> {
    return this.transact('write', compactSegments);
  }

  stats(): MaybePromise<StorageStats> {
    return this.transact('read', function* (tables) {
      const { events, bytes, segments, position, trimmed } =
        (yield* wait(tables.head())) ?? emptySegmentHead;
      return { events, bytes, segments, head: position, trimmed };
    });
  }

  onCommit(listener: (head: Position) => void): Undo {
    return this.#listeners.add(listener);
  }

  /** Tells the listeners of a commit made elsewhere, such as in another tab. */
  hint(head: Position): void {
    if (!this.#closed) this.#listeners.notify(head);
  }

  close(): MaybePromise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.clear();
    return this.#database.close();
  }

  protected transact<T>(
    mode: 'read' | 'write',
    script: (tables: SegmentTables, log: string) => Script<T>,
  ): MaybePromise<T> {
    const { log } = this.#database;
    if (this.#closed)
      throw new MillraceError('storage.closed', `the log ${log} is closed: open it again`, { log });
    return this.#database.transact(mode, (tables) => script(tables, log));
  }
}
