/**
 * A storage on the other side of a boundary: a Web Worker behind Comlink, a Durable Object behind RPC. What crosses is
 * plain data: events as their lines, errors as code and details, never as classes.
 */
import { MillraceError, type WireError } from '../errors.ts';
import { decodeLine, encodeLine } from '../event/wire.ts';
import { CommitListeners } from './commit-listeners.ts';
import type { Position } from './position.ts';
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
} from './storage.ts';
import { StoredEvent } from './stored-event.ts';

export interface RemoteCommit extends Omit<Commit, 'events'> {
  readonly lines: readonly string[];
}

export type RemoteResult =
  | Extract<CommitResult, { ok: true }>
  | { readonly ok: false; readonly error: WireError };

export interface RemotePage extends Omit<Page, 'events'> {
  readonly positions: readonly Position[];
  readonly lines: readonly string[];
}

/** An answer, or the error in its stead: a rejection would lose its class, and with it its code. */
export type Outcome<T> = { readonly value: T } | { readonly error: WireError };

/** What the far side offers. Listeners stay behind: a hint may never come, and readers pull from their position. */
export interface RemoteStorage {
  commit(batch: readonly RemoteCommit[]): Promise<Outcome<readonly RemoteResult[]>>;
  read(query: Query): Promise<Outcome<RemotePage>>;
  get(key: string): Promise<Outcome<StoredValue | undefined>>;
  list(
    prefix: string,
    options?: ListOptions,
  ): Promise<Outcome<readonly (readonly [string, StoredValue])[]>>;
  producer(id: string): Promise<Outcome<ProducerHead | undefined>>;
  version(subject: string): Promise<Outcome<number>>;
  trim(until: Position): Promise<Outcome<void>>;
  compact(): Promise<Outcome<boolean>>;
  stats(): Promise<Outcome<StorageStats>>;
  close(): Promise<Outcome<void>>;
}

/** The far side, over the storage that is there. */
export function serveStorage(storage: Storage): RemoteStorage {
  return {
    commit: (batch) =>
      outcome(async () => {
        const commits = batch.map(({ lines, ...rest }) => ({ ...rest, events: lines.map(decodeLine) }));
        return (await storage.commit(commits)).map(toRemoteResult);
      }),
    read: (query) =>
      outcome(async () => {
        const { events, ...page } = await storage.read(query);
        return {
          ...page,
          positions: events.map(({ position }) => position),
          lines: events.map(({ line }) => line),
        };
      }),
    get: (key) => outcome(() => storage.get(key)),
    list: (prefix, options) => outcome(() => storage.list(prefix, options)),
    producer: (id) => outcome(() => storage.producer(id)),
    version: (subject) => outcome(() => storage.version(subject)),
    trim: (until) => outcome(() => storage.trim(until)),
    compact: () => outcome(() => storage.compact()),
    stats: () => outcome(() => storage.stats()),
    close: () => outcome(() => storage.close()),
  };
}

/** The near side: a storage whose every call crosses. Its own commits are heard of here. */
export function remoteStorage(remote: RemoteStorage): Storage {
  const listeners = new CommitListeners();
  return {
    commit: async (batch) => {
      const commits = batch.map(({ events, ...rest }) => ({ ...rest, lines: events.map(encodeLine) }));
      const results = open(await remote.commit(commits)).map(fromRemoteResult);
      const last = results
        .flatMap((result) => (result.ok ? result.positions : []))
        .reduce((a, b) => Math.max(a, b), 0);
      if (last > 0) listeners.notify(last);
      return results;
    },
    read: async (query) => {
      const { positions, lines, ...page } = open(await remote.read(query));
      return { ...page, events: lines.map((line, i) => new StoredEvent(positions[i]!, line)) };
    },
    get: async (key) => open(await remote.get(key)),
    list: async (prefix, options) => open(await remote.list(prefix, options)),
    producer: async (id) => open(await remote.producer(id)),
    version: async (subject) => open(await remote.version(subject)),
    trim: async (until) => open(await remote.trim(until)),
    compact: async () => open(await remote.compact()),
    stats: async () => open(await remote.stats()),
    onCommit: (listener) => listeners.add(listener),
    close: async () => open(await remote.close()),
  };
}

/** Runs the call and carries what comes of it as data. What is no Millrace error is a failure of the storage. */
export async function outcome<T>(call: () => MaybePromise<T>): Promise<Outcome<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    if (error instanceof MillraceError) return { error: error.toWire() };
    const message = `the storage failed: ${String(error)}`;
    return {
      error: new MillraceError('storage.failed', message, { log: '', operation: 'call' }).toWire(),
    };
  }
}

/** The value that crossed. @throws MillraceError the error that crossed in its stead */
export function open<T>(crossed: Outcome<T>): T {
  if ('error' in crossed) throw MillraceError.fromWire(crossed.error);
  return crossed.value;
}

function toRemoteResult(result: CommitResult): RemoteResult {
  return result.ok ? result : { ok: false, error: result.error.toWire() };
}

function fromRemoteResult(result: RemoteResult): CommitResult {
  return result.ok ? result : { ok: false, error: MillraceError.fromWire(result.error) };
}
