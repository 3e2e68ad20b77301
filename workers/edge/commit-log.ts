/**
 * A shard's log: commits that wait share a transaction, and what is read has come down to disk.
 *
 * The database of a Durable Object answers before its disk does; the platform holds back what the object says meanwhile
 * (its "output gate"). That time is what a group forms in: while one transaction is on its way down, all that arrives
 * waits for the next. The gate holds an answer, but no piece of a stream that is open: so a read waits for the disk as
 * well, and no reader is ever given an event that a crash takes back.
 */
import { groupCommits } from '../../src/storage/group-commit.ts';
import type { Position } from '../../src/storage/position.ts';
import type { SqliteStorage } from '../../src/storage/sqlite.ts';
import type { Commit, MaybePromise, Page, Query, Storage } from '../../src/storage/storage.ts';

export interface CommitLog extends Storage {
  /**
   * Puts beside what was committed, ahead of all that waits. The gate holds the answer until it is down, so that nobody
   * waits for it.
   */
  note(put: NonNullable<Commit['put']>): void;
  erase(from: Position, to: Position): MaybePromise<Position>;
  /** The greatest UUIDv7 among the ids; '' where there is none. */
  maxId(): MaybePromise<string>;
}

/** `flush` resolves when all that was written before is on disk. */
export function openCommitLog(storage: SqliteStorage, flush: () => Promise<void>): CommitLog {
  let flushing: Promise<void> | undefined;
  const listeners = new Set<(head: Position) => void>();
  const flushed = async (): Promise<void> => {
    const mine = flush();
    flushing = mine;
    try {
      await mine;
    } finally {
      if (flushing === mine) flushing = undefined;
    }
  };
  let head: Position | undefined;
  storage.onCommit((position) => (head = position));
  const grouped = groupCommits({
    ...bound(storage),
    async commit(batch) {
      head = undefined;
      const results = await storage.commit(batch);
      const stored = head;
      await flushed();
      if (stored !== undefined) for (const listener of listeners) listener(stored);
      return results;
    },
  });
  return {
    ...grouped,
    async read(query: Query): Promise<Page> {
      const page = await storage.read(query);
      await flushing;
      return page;
    },
    onCommit(listener) {
      const own = (position: Position): void => listener(position);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    note: (put) => void storage.commit([{ events: [], put }]),
    erase: (from, to) => storage.erase(from, to),
    maxId: () => storage.maxId(),
  };
}

/** A class's methods, to be spread. */
function bound(storage: Storage): Storage {
  return {
    commit: (batch) => storage.commit(batch),
    read: (query) => storage.read(query),
    get: (key) => storage.get(key),
    list: (prefix, options) => storage.list(prefix, options),
    producer: (id) => storage.producer(id),
    version: (subject) => storage.version(subject),
    trim: (until) => storage.trim(until),
    compact: () => storage.compact(),
    stats: () => storage.stats(),
    onCommit: (listener) => storage.onCommit(listener),
    close: () => storage.close(),
  };
}
