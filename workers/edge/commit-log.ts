/**
 * A shard's log: commits that wait share a transaction, and what is read has come down to disk.
 *
 * The database of a Durable Object answers before its disk does; the platform holds back what the object says meanwhile
 * (its "output gate"). That time is what a group forms in: while one transaction is on its way down, all that arrives
 * waits for the next. The gate holds an answer, but no piece of a stream that is open: so a read waits for the disk as
 * well, and no reader is ever given an event that a crash takes back.
 */
import type { Undo } from '../../src/ports.ts';
import { groupCommits } from '../../src/storage/group-commit.ts';
import { methodsOf } from '../../src/storage/methods-of.ts';
import type { Position } from '../../src/storage/position.ts';
import type { SqliteStorage } from '../../src/storage/sqlite.ts';
import type {
  Commit,
  CommitResult,
  MaybePromise,
  Page,
  Query,
  Storage,
} from '../../src/storage/storage.ts';

export interface CommitLog extends Storage {
  /** Commits, and puts beside it, on the same way down to disk, what `note` says of the positions that it was given. */
  commitNoted(commit: Commit, note: Note): Promise<CommitResult>;
  erase(from: Position, to: Position): MaybePromise<Position>;
  /** The greatest UUIDv7 among the ids; '' where there is none. */
  maxId(): MaybePromise<string>;
}

export type Note = (positions: readonly Position[]) => NonNullable<Commit['put']>;

/** Around each transaction, of so many commits. */
export type Transact = <T>(commits: number, run: () => Promise<T>) => Promise<T>;

/** `flush` resolves when all that was written before is on disk. */
export function openCommitLog(
  storage: SqliteStorage,
  flush: () => Promise<void>,
  transact: Transact = (_, run) => run(),
): CommitLog {
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
  const notes = new WeakMap<Commit, Note>();
  let head: Position | undefined;
  storage.onCommit((position) => (head = position));
  const grouped = groupCommits({
    ...methodsOf(storage),
    async commit(batch) {
      head = undefined;
      let stored: Position | undefined;
      const results = await transact(batch.length, async () => {
        const committed = await storage.commit(batch);
        stored = head;
        const put = notesOf(batch, committed, notes);
        if (put.length > 0) await storage.commit([{ events: [], put }]);
        await flushed();
        return committed;
      });
      if (stored !== undefined) for (const listener of listeners) listener(stored);
      return results;
    },
  });
  const commit: Storage['commit'] = (batch) => {
    // Ahead of the group: whoever needs the archive makes nobody else wait, or fail with it.
    const prepared = storage.prepare(batch);
    return prepared === undefined
      ? grouped.commit(batch)
      : released(prepared, () => grouped.commit(batch));
  };
  return {
    ...grouped,
    commit,
    async commitNoted(noted, note) {
      notes.set(noted, note);
      const [result] = await commit([noted]);
      return result!;
    },
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
    erase: (from, to) => storage.erase(from, to),
    maxId: () => storage.maxId(),
  };
}

function notesOf(
  batch: readonly Commit[],
  results: readonly CommitResult[],
  notes: WeakMap<Commit, Note>,
): NonNullable<Commit['put']> {
  return batch.flatMap((commit, i) => {
    const note = notes.get(commit);
    const result = results[i]!;
    return note !== undefined && result.ok ? note(result.positions) : [];
  });
}

async function released<T>(prepared: Promise<Undo>, run: () => MaybePromise<T>): Promise<T> {
  const release = await prepared;
  try {
    return await run();
  } finally {
    release();
  }
}
