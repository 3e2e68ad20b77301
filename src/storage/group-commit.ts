/**
 * Group commit (DeWitt et al., 1984): one transaction is in flight, and all commits that arrive meanwhile go down
 * together in the next. Each keeps its own outcome.
 */
import { MillraceError } from '../errors.ts';
import { methodsOf } from './methods-of.ts';
import { storageLimits, type Commit, type CommitResult, type Storage } from './storage.ts';

interface Waiting {
  readonly batch: readonly Commit[];
  readonly resolve: (results: readonly CommitResult[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The same storage, whose commits share transactions. */
export function groupCommits(storage: Storage): Storage {
  const waiting: Waiting[] = [];
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const failed = await commitGroup(storage, takeGroup(waiting));
      // What was asked for behind it must not come down before it, when it is tried again: it fails with it.
      if (failed !== undefined) for (const { reject } of waiting.splice(0)) reject(failed);
    }
    running = undefined;
  }

  return {
    ...methodsOf(storage),
    commit: (batch) =>
      new Promise((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        running ??= drain();
      }),
    // What was asked for before the close is still committed.
    close: async () => {
      await running;
      await storage.close();
    },
  };
}

/** As many of those waiting, in their order, as one transaction should hold. */
function takeGroup(waiting: Waiting[]): readonly Waiting[] {
  let events = 0;
  let count = 0;
  for (const { batch } of waiting) {
    events += batch.reduce((sum, commit) => sum + commit.events.length, 0);
    if (count > 0 && events > storageLimits.commitEvents) break;
    count++;
  }
  return waiting.splice(0, count);
}

/** The error where it is the database that failed. */
async function commitGroup(storage: Storage, group: readonly Waiting[]): Promise<unknown> {
  try {
    const results = await storage.commit(group.flatMap(({ batch }) => batch));
    let at = 0;
    for (const { batch, resolve } of group) resolve(results.slice(at, (at += batch.length)));
  } catch (error) {
    const oneCommits = isOneCommitsFault(error);
    if (group.length === 1 || !oneCommits) {
      for (const { reject } of group) reject(error);
      return oneCommits ? undefined : error;
    }
    // One of them cannot be committed: each goes alone, so that it takes none of the others with it.
    for (const [at, each] of group.entries()) {
      const failed = await commitGroup(storage, [each]);
      if (failed === undefined) continue;
      for (const { reject } of group.slice(at + 1)) reject(failed);
      return failed;
    }
  }
  return undefined;
}

/** Whether the error is of what was to be committed, rather than of the database. */
function isOneCommitsFault(error: unknown): boolean {
  return error instanceof MillraceError && !error.code.startsWith('storage.');
}
