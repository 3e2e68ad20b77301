/**
 * For each law a driver that breaks it, on purpose and in one way: a law that no broken driver fails would promise
 * nothing. Each takes a sound log in memory and spoils one thing.
 */
import { MillraceError } from '../../src/errors.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Commit, CommitResult, Page, Storage } from '../../src/storage/storage.ts';
import { StoredEvent } from '../../src/storage/stored-event.ts';
import type { StorageHarness } from '../../src/testing.ts';

type Spoil = (sound: Storage) => Partial<Storage>;
type Break = Spoil | { readonly harness: () => StorageHarness };

/** A log in memory whose methods are replaced by the spoiled ones. */
function spoiled(sound: Storage, spoil: Spoil): Storage {
  const bound = Object.fromEntries(
    METHODS.map((name) => [name, (sound[name] as (...given: unknown[]) => unknown).bind(sound)]),
  ) as unknown as Storage;
  return { ...bound, ...spoil(sound) };
}

const METHODS = [
  'commit',
  'read',
  'get',
  'list',
  'producer',
  'version',
  'trim',
  'compact',
  'stats',
  'onCommit',
  'close',
] as const satisfies readonly (keyof Storage)[];

/** Logs by name, as a driver keeps them; durable in that a closed log is still there. */
function harness(spoil: Spoil, options: { shared?: boolean; durable?: boolean } = {}): StorageHarness {
  const logs = new Map<string, Storage>();
  return {
    durable: options.durable ?? false,
    open(log) {
      const name = options.shared === true ? 'one for all' : log;
      const storage = logs.get(name) ?? spoiled(openMemory({ log }), spoil);
      logs.set(name, storage);
      return storage;
    },
  };
}

const results = (storage: Storage, batch: readonly Commit[]) =>
  storage.commit(batch) as readonly CommitResult[];
const pageOf = (storage: Storage, query: Parameters<Storage['read']>[0]) => storage.read(query) as Page;

/** Changes each result that was accepted. */
function accepted(
  storage: Storage,
  batch: readonly Commit[],
  change: (result: CommitResult & { ok: true }, commit: Commit) => CommitResult,
): readonly CommitResult[] {
  return results(storage, batch).map((result, i) => (result.ok ? change(result, batch[i]!) : result));
}

const without = <K extends keyof Commit>(batch: readonly Commit[], key: K): readonly Commit[] =>
  batch.map((commit) => ({ ...commit, [key]: undefined }));

const renamed = (event: Event): Event => makeEvent({ ...event, id: `${event.id}#${Math.random()}` });

/** What becomes of an error whose code the driver does not carry. */
const lost = ({ message }: MillraceError): MillraceError =>
  new MillraceError('storage.failed', message, { log: '', operation: '' });

/** By the law's name. */
export const broken: Readonly<Record<string, Break>> = {
  'what is read is what was committed, to the letter': (sound) => ({
    read: (query) => {
      const page = pageOf(sound, query);
      const shout = (event: Event) => makeEvent({ ...event, source: event.source.toUpperCase() });
      return {
        ...page,
        events: page.events.map((e) => new StoredEvent(e.position, e.line, shout(e.event))),
      };
    },
  }),
  'positions are dense and rise from 1, over commits of every size': (sound) => ({
    read: (query) => {
      const page = pageOf(sound, query);
      const gap = (position: number) => (position > 400 ? position + 1 : position);
      return { ...page, events: page.events.map((e) => new StoredEvent(gap(e.position), e.line)) };
    },
  }),
  'the order of positions is the order of commits, with concurrent writers': (sound) => {
    const held: (() => void)[] = [];
    return {
      // Last come, first served.
      commit: (batch) =>
        new Promise((resolve) => {
          held.unshift(() => resolve(sound.commit(batch)));
          if (held.length === 1)
            queueMicrotask(() => queueMicrotask(() => held.splice(0).forEach((run) => run())));
        }),
    };
  },
  'a commit that fails at any call into the database leaves nothing of itself': {
    harness: () => {
      const sound = openMemory();
      return {
        durable: false,
        open: () => sound,
        // The events are written, then the "database" fails before the rest.
        openFailing: (log, failAt) =>
          spoiled(sound, () => ({
            commit: (batch) => {
              if (failAt > 1) return sound.commit(batch);
              sound.commit(batch.map(({ events }) => ({ events })));
              throw new MillraceError('storage.failed', 'injected', { log, operation: 'write' });
            },
          })),
      };
    },
  },
  'a refused commit changes nothing and stops no other of its batch': (sound) => ({
    commit: (batch) => {
      const outcomes: CommitResult[] = [];
      for (const commit of batch) {
        outcomes.push(...results(sound, [commit]));
        if (!outcomes.at(-1)!.ok) break;
      }
      return [...outcomes, ...batch.slice(outcomes.length).map(() => outcomes.at(-1)!)];
    },
  }),
  'events and values land together': (sound) => ({
    commit: (batch) => sound.commit(without(batch, 'put')),
  }),
  'the same event twice is stored once': (sound) => ({
    commit: (batch) =>
      sound.commit(batch.map((commit) => ({ ...commit, events: commit.events.map(renamed) }))),
  }),
  'an id that comes again with other content is refused, with all of its commit': (sound) => ({
    commit: (batch) =>
      batch.map((commit) => {
        const [result] = results(sound, [commit]);
        if (result!.ok || result!.error.code !== 'event.conflict') return result!;
        return { ok: true, positions: [1, 2], duplicates: 2, repeated: false };
      }),
  }),
  'what cannot be stored is refused before anything is stored': (sound) => ({
    commit: (batch) => batch.flatMap((commit) => results(sound, [commit])),
  }),
  'a version counts its subject’s events, and an expectation that does not hold is refused': (
    sound,
  ) => ({
    commit: (batch) => sound.commit(without(batch, 'expect')),
  }),
  'several expectations hold all together or not at all': (sound) => ({
    commit: (batch) =>
      sound.commit(batch.map((commit) => ({ ...commit, expect: commit.expect?.slice(0, 1) }))),
  }),
  'of writers that expect the same version, one wins': (sound) => ({
    // Reads the version first and commits later: the race that a transaction is there to exclude.
    commit: async (batch) => {
      const holds = batch.every(({ expect = [] }) =>
        expect.every((e) => sound.version(e.subject) === e.version),
      );
      await Promise.resolve();
      return holds ? sound.commit(without(batch, 'expect')) : sound.commit(batch);
    },
  }),
  'the same sequence of a producer again has the first outcome and changes nothing': (sound) => ({
    commit: (batch) =>
      batch.map((commit) => {
        const [result] = results(sound, [commit]);
        if (result!.ok && result!.repeated)
          for (const each of commit.put ?? []) sound.commit([{ events: [], put: [each] }]);
        return result!;
      }),
  }),
  'a gap in a producer’s sequence is refused with the expected one': (sound) => ({
    commit: (batch) => sound.commit(without(batch, 'producer')),
  }),
  'a sequence may cover more than its events, so that a consumer’s checkpoint is one': (sound) => ({
    commit: (batch) =>
      accepted(sound, batch, (result, { put = [] }) => {
        if (result.repeated) sound.commit([{ events: [], put }]);
        return result;
      }),
  }),
  'a sequence to advance stands right before its range, or the commit is refused': (sound) => ({
    commit: (batch) => sound.commit(without(batch, 'advance')),
  }),
  'an older epoch is fenced, and the newer one goes on in the same sequence': (sound) => ({
    commit: (batch) =>
      sound.commit(
        batch.map((commit) => ({
          ...commit,
          producer: commit.producer && { ...commit.producer, epoch: 1 },
        })),
      ),
  }),
  'a producer that repeats a sequence with other events is told that it has diverged': (sound) => ({
    commit: (batch) =>
      results(sound, batch).map((result) =>
        !result.ok && result.error.code === 'producer.diverged'
          ? { ok: true, positions: [], duplicates: 0, repeated: true }
          : result,
      ),
  }),
  'a sequence that a commit advances stands right before its range, or nothing of the commit happens': (
    sound,
  ) => ({ commit: (batch) => sound.commit(without(batch, 'advance')) }),
  'a query selects what a plain filter selects, in both directions': (sound) => ({
    read: (query) => sound.read({ ...query, to: undefined }),
  }),
  'pages resume exactly where they ended, whatever their size, also while commits go on': (sound) => ({
    // Goes on from the head that it saw, rather than from the last event it gave.
    read: (query) => {
      const page = pageOf(sound, query);
      return { ...page, next: page.more ? page.next + 1 : page.next };
    },
  }),
  'a read sees whole commits': (sound) => ({
    commit: async (batch) => {
      const outcomes: CommitResult[] = [];
      for (const { events } of batch) {
        const parts: CommitResult[] = [];
        for (const event of events) {
          parts.push(...results(sound, [{ events: [event] }]));
          await Promise.resolve();
        }
        outcomes.push({
          ok: true,
          positions: parts.flatMap((part) => (part.ok ? part.positions : [])),
          duplicates: 0,
          repeated: false,
        });
      }
      return outcomes;
    },
  }),
  'an empty log, an empty range and an unknown id answer with nothing': (sound) => ({
    read: (query) => {
      const page = pageOf(sound, { ...query, id: undefined });
      return query.id === undefined ? page : { ...page, events: page.events.slice(0, 1) };
    },
  }),
  'a query that means nothing is refused': (sound) => ({
    read: (query) => (query.limit === 0 ? pageOf(sound, {}) : sound.read(query)),
  }),
  'values are listed by prefix, sorted by key, page by page': (sound) => ({
    list: (prefix, options) => (sound.list(prefix, options) as [string, never][]).toReversed(),
  }),
  'two logs are apart': { harness: () => harness(() => ({}), { shared: true }) },
  'a log that is open twice is one log, whoever wrote last': {
    harness: () => ({ durable: true, open: (log) => openMemory({ log }) }),
  },
  'a log that is opened again is as it was left': {
    // A log that is kept in memory, and says that it is not.
    harness: () => ({ durable: true, open: (log) => openMemory({ log }) }),
  },
  'trimming forgets the start, renumbers nothing and keeps versions and producers': (sound) => {
    let trimmed = 0;
    return {
      trim: (until) => {
        trimmed = Math.max(trimmed, until);
        sound.trim(until);
      },
      read: (query) => {
        const page = pageOf(sound, query);
        return {
          ...page,
          events: page.events.map((e) => new StoredEvent(e.position - trimmed, e.line)),
        };
      },
    };
  },
  'compaction changes no read': (sound) => {
    let compacted = false;
    return {
      compact: () => {
        compacted = true;
        return false;
      },
      read: (query) =>
        compacted && query.id !== undefined ? pageOf(sound, { types: [] }) : sound.read(query),
    };
  },
  'a listener hears of commits, until it is undone, and one that throws stops nothing': (sound) => ({
    onCommit: (listener) => {
      sound.onCommit(listener);
      return () => {};
    },
  }),
  'an error keeps its code and details across a structured clone': (sound) => ({
    commit: (batch) =>
      results(sound, batch).map((result) =>
        result.ok ? result : { ok: false, error: lost(result.error) },
      ),
  }),
  'a damaged event is named, and every other is read as itself': {
    // A log that does not notice.
    harness: () => ({ ...harness(() => ({})), damage: () => {} }),
  },
  'an opening that fails is reported': {
    harness: () => ({ ...harness(() => ({})), openBroken: () => openMemory() }),
  },
  'a closed storage rejects whatever it is asked, and closing again does nothing': () => ({
    close: () => {},
  }),
};

export function brokenHarness(name: string): StorageHarness {
  const how = broken[name];
  if (how === undefined) throw new Error(`no driver breaks the law: ${name}`);
  return typeof how === 'function' ? harness(how) : how.harness();
}
