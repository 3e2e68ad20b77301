/** A storage that is timed on its way: how long commits and reads take, and how much one commit holds. */
import { methodsOf } from '../storage/methods-of.ts';
import type { MaybePromise, Storage } from '../storage/storage.ts';
import { requestBuckets, sizeBuckets, type Histogram } from './histogram.ts';
import type { Counter, MetricRegistry } from './registry.ts';

export interface StorageTimes {
  readonly commits: Counter;
  readonly failures: Counter;
  readonly events: Counter;
  readonly group: Histogram;
  readonly commitSeconds: Histogram;
  readonly readSeconds: Histogram;
}

export type StorageTimesOf = (log: string) => StorageTimes;

/** Puts a storage's metrics into the registry. To be called once a registry. */
export function storageTimes(registry: MetricRegistry): StorageTimesOf {
  const commits = registry.counter('millrace_commits_total', 'Commits that were asked for.', ['log']);
  const failures = registry.counter('millrace_commit_failures_total', 'Transactions that failed.', [
    'log',
  ]);
  const events = registry.counter('millrace_commit_events_total', 'Events in commits.', ['log']);
  const group = registry.histogram('millrace_commit_group', 'Commits in one transaction.', sizeBuckets, [
    'log',
  ]);
  const took = 'How long a transaction took.';
  const commit = registry.histogram('millrace_commit_seconds', took, requestBuckets, ['log']);
  const read = registry.histogram('millrace_read_seconds', 'How long a read took.', requestBuckets, [
    'log',
  ]);
  return (log) => ({
    commits: commits.of(log),
    failures: failures.of(log),
    events: events.of(log),
    group: group.of(log),
    commitSeconds: commit.of(log),
    readSeconds: read.of(log),
  });
}

/** The same storage, timed. Inside of `groupCommits` it sees the groups, outside of it what each writer waits. */
export function timedStorage(storage: Storage, times: StorageTimes, clock: () => number): Storage {
  return {
    ...methodsOf(storage),
    commit: (batch) => {
      times.commits.add(batch.length);
      times.group.observe(batch.length);
      for (const { events } of batch) times.events.add(events.length);
      return timed(clock, times.commitSeconds, () => storage.commit(batch), times.failures);
    },
    read: (query) => timed(clock, times.readSeconds, () => storage.read(query)),
  };
}

function timed<T>(
  clock: () => number,
  histogram: Histogram,
  run: () => MaybePromise<T>,
  failures?: Counter,
): MaybePromise<T> {
  const start = clock();
  const end = (): void => histogram.observe((clock() - start) / 1000);
  const fail = (error: unknown): never => {
    end();
    failures?.add();
    throw error;
  };
  try {
    const answer = run();
    if (answer instanceof Promise)
      return answer.then((value) => {
        end();
        return value;
      }, fail);
    end();
    return answer;
  } catch (error) {
    return fail(error);
  }
}
