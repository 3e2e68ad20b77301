/** What sync is tested in: a clock that is stepped, an edge in memory, and a network and a storage that fail as told. */
import { MillraceError, type ErrorDetails } from '../../src/errors.ts';
import { createEventFactory } from '../../src/event/factory.ts';
import type { Event } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import type { Ports, Undo } from '../../src/ports.ts';
import { formatCursor, parseCursor } from '../../src/storage/cursor.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Commit, Storage } from '../../src/storage/storage.ts';
import type { Push, PushAnswer } from '../../src/sync/protocol.ts';
import type { SyncTransport } from '../../src/sync/transport.ts';

/** Time stands still until it is stepped to the next timer. */
export class SteppedPorts implements Ports {
  #now = 1_700_000_000_000;
  #timers = new Map<number, { at: number; callback: () => void }>();
  #next = 0;
  #seed = 1;

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Undo {
    const timer = this.#next++;
    this.#timers.set(timer, { at: this.#now + Math.max(0, delayMs), callback });
    return () => void this.#timers.delete(timer);
  }

  /** The clock is set forward or back: timers run on as they would have. */
  jump(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers.values()) timer.at += ms;
  }

  random(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }

  fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
    for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(this.random() * 256);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets everything run that does not wait for time, then goes to the next timer. Whether there was one. */
  async step(): Promise<boolean> {
    await settle();
    const [next] = [...this.#timers].toSorted(([, a], [, b]) => a.at - b.at);
    if (next === undefined) return false;
    const [timer, { at, callback }] = next;
    this.#timers.delete(timer);
    this.#now = Math.max(this.#now, at);
    callback();
    await settle();
    return true;
  }

  async until(condition: () => boolean | Promise<boolean>, steps = 2_000): Promise<void> {
    await settle();
    for (let step = 0; step < steps; step++) {
      if (await condition()) return;
      await this.step();
    }
    throw new Error(`not within ${steps} steps`);
  }
}

/** All that is ready has run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function shopEvents(count: number, ports: Ports = new SteppedPorts()): Event[] {
  const make = createEventFactory({ source: 'shop', ports });
  return Array.from({ length: count }, (_, index) => make('page.viewed', { path: `/${index}` }));
}

/** The edge: the storage's own commit with producer ranges, and events that it refuses. */
export class MemoryEdge {
  storage: Storage = openMemory({ log: 'edge' });
  readonly #commits: Commit[] = [];
  /** Ids that it refuses. */
  readonly poison = new Set<string>();
  /** Whether it says which events it refuses. */
  names = true;
  readonly pushes: Push[] = [];

  push(push: Push): PushAnswer {
    this.pushes.push(push);
    const events = push.lines.map((line) => decodeLine(line));
    const rejected = events.flatMap(({ id }, index) =>
      this.poison.has(id) ? [{ index, reason: 'poison' }] : [],
    );
    if (rejected.length > 0) {
      const status = this.names ? 422 : 400;
      const details: ErrorDetails['sync.refused'] = {
        endpoint: 'edge',
        status,
        reason: 'bad events',
        ...(this.names ? { rejected } : { code: 'event.invalid' }),
      };
      throw new MillraceError('sync.refused', 'bad events', details);
    }
    const { producer: id, epoch, seq, count } = push;
    return this.#commit({ events, producer: { id, epoch, seq, count } });
  }

  /** Forgets all but its first commits, as one that was restored from a copy. */
  async restore(commits: number): Promise<void> {
    const kept = this.#commits.splice(0).slice(0, commits);
    this.storage = openMemory({ log: 'edge' });
    for (const commit of kept) this.#commit(commit);
  }

  get commits(): number {
    return this.#commits.length;
  }

  async ids(): Promise<string[]> {
    return idsOf(this.storage);
  }

  #commit(commit: Commit): PushAnswer {
    const [result] = this.storage.commit([commit]) as Awaited<ReturnType<Storage['commit']>>;
    if (!result!.ok) throw result!.error;
    if (!result!.repeated) this.#commits.push(commit);
    const { epoch, seq } = this.storage.producer(commit.producer!.id) as { epoch: number; seq: number };
    return {
      epoch,
      seq,
      duplicates: result!.duplicates,
      repeated: result!.repeated,
      time: '2026-01-31T09:30:00.000Z',
    };
  }
}

export async function idsOf(storage: Storage): Promise<string[]> {
  return (await storage.read({ limit: 10_000 })).events.map(({ event }) => event.id);
}

/** `delayed`: given up by the sender, and applied after its next request. `hangs`: never answered. */
export type Fault =
  | 'none'
  | 'lost'
  | 'answer-lost'
  | '503'
  | '429'
  | 'nonsense'
  | 'behind'
  | 'delayed'
  | 'hangs';

/** A way to the edge on which each push meets the next of the faults, and all goes well when they are used up. */
export function faultyTransport(
  edge: MemoryEdge,
  faults: readonly Fault[] = [],
): SyncTransport & { calls: number } {
  const queue = [...faults];
  let delayed: Push | undefined;
  const unreachable = (details: { status?: number; retryAfterMs?: number } = {}): MillraceError =>
    new MillraceError('sync.unreachable', 'the edge cannot be reached', {
      endpoint: 'edge',
      ...details,
    });
  const deliverDelayed = (): void => {
    const push = delayed;
    delayed = undefined;
    try {
      if (push !== undefined) edge.push(push);
    } catch {
      // Nobody waits for this answer any more.
    }
  };
  const transport: SyncTransport & { calls: number } = {
    calls: 0,
    async push(push) {
      transport.calls++;
      const fault = queue.shift() ?? 'none';
      try {
        switch (fault) {
          case 'lost':
            throw unreachable();
          case '503':
            throw unreachable({ status: 503 });
          case '429':
            throw unreachable({ status: 429, retryAfterMs: 2_000 });
          case 'hangs':
            return await new Promise<never>(() => {});
          case 'nonsense':
            return 'welcome to the airport’s network' as unknown as PushAnswer;
          case 'behind':
            return { epoch: push.epoch, seq: push.seq - 1, duplicates: 0, repeated: false, time: '' };
          case 'delayed': {
            deliverDelayed();
            delayed = push;
            throw unreachable();
          }
          case 'answer-lost': {
            edge.push(push);
            throw unreachable();
          }
          default:
            return edge.push(push);
        }
      } finally {
        if (fault !== 'delayed') deliverDelayed();
      }
    },
    async head(producer) {
      return (await edge.storage.producer(producer)) ?? { epoch: 0, seq: 0 };
    },
    async pull(after, limit) {
      const page = await edge.storage.read({
        after: after === undefined ? 0 : parseCursor(after),
        limit,
      });
      const lines = page.events.map(({ line }) => line);
      return { lines, next: formatCursor(page.next), head: formatCursor(page.head), more: page.more };
    },
  };
  return transport;
}

export interface Crash {
  /** The call at which it happens, from 1. */
  readonly call: number;
  /** Whether the call's work is done all the same. */
  readonly applied: boolean;
  /** Whether every later call fails too, as after the death of the process. */
  readonly fatal: boolean;
}

/** The storage as one process sees it, which fails at a call. */
export function crashing(storage: Storage, crash: Crash | undefined): Storage {
  let calls = 0;
  const guarded =
    <Args extends unknown[], T>(run: (...args: Args) => T | Promise<T>) =>
    async (...args: Args): Promise<T> => {
      calls++;
      const fails = crash !== undefined && (calls === crash.call || (crash.fatal && calls > crash.call));
      if (fails && !(crash.applied && calls === crash.call)) throw failed();
      const result = await run(...args);
      if (fails) throw failed();
      return result;
    };
  return {
    commit: guarded((batch) => storage.commit(batch)),
    read: guarded((query) => storage.read(query)),
    get: guarded((key) => storage.get(key)),
    list: guarded((prefix, options) => storage.list(prefix, options)),
    producer: guarded((id) => storage.producer(id)),
    version: guarded((subject) => storage.version(subject)),
    stats: guarded(() => storage.stats()),
    trim: (until) => storage.trim(until),
    compact: () => storage.compact(),
    onCommit: (listener) => storage.onCommit(listener),
    close: () => storage.close(),
  };
}

/** The storage whose events at these positions are damaged: a read ends before one, and fails where it starts with one. */
export function damagedAt(storage: Storage, positions: readonly number[]): Storage {
  const read: Storage['read'] = async (query) => {
    const page = await storage.read(query);
    const bad = page.events.findIndex(({ position }) => positions.includes(position));
    if (bad < 0) return page;
    const events = page.events.slice(0, bad);
    const { position } = page.events[bad]!;
    if (events.length > 0) return { ...page, events, next: events.at(-1)!.position, more: true };
    throw new MillraceError('storage.corrupt', 'damaged', { log: 'device', position });
  };
  return { ...crashing(storage, undefined), read };
}

/** A storage in whose place another may be put, as when site data are cleared. */
export function replaceable(current: () => Storage, hints: Set<(head: number) => void>): Storage {
  return {
    commit: (batch) => current().commit(batch),
    read: (query) => current().read(query),
    get: (key) => current().get(key),
    list: (prefix, options) => current().list(prefix, options),
    producer: (id) => current().producer(id),
    version: (subject) => current().version(subject),
    stats: () => current().stats(),
    trim: (until) => current().trim(until),
    compact: () => current().compact(),
    onCommit: (listener) => {
      hints.add(listener);
      return () => void hints.delete(listener);
    },
    close: () => current().close(),
  };
}

function failed(): MillraceError<'storage.failed'> {
  return new MillraceError('storage.failed', 'the disk is gone', { log: 'device', operation: 'test' });
}

/** Keeps the commits that come through, so that a log can be put back to an earlier one of them. */
export class RecordedLog {
  readonly storage: Storage;
  readonly #batches: (readonly Commit[])[] = [];

  constructor(batches: readonly (readonly Commit[])[] = []) {
    const inner = openMemory({ log: 'device' });
    const commit = (batch: readonly Commit[]): ReturnType<Storage['commit']> => {
      const results = inner.commit(batch);
      this.#batches.push(batch);
      return results;
    };
    this.storage = Object.assign(Object.create(inner) as Storage, {
      commit,
      read: inner.read.bind(inner),
      get: inner.get.bind(inner),
      list: inner.list.bind(inner),
      producer: inner.producer.bind(inner),
      stats: inner.stats.bind(inner),
      onCommit: inner.onCommit.bind(inner),
    });
    for (const batch of batches) void commit(batch);
  }

  /** The log as it would be had its last commits not reached the disk. */
  withoutLast(commits: number): RecordedLog {
    return new RecordedLog(this.#batches.slice(0, Math.max(0, this.#batches.length - commits)));
  }
}
