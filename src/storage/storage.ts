/**
 * The one storage interface. A log keeps events in the order of their commits, beside keyed values that change in the
 * same commits. Memory, IndexedDB and SQLite implement it; the laws in `laws/` say what it promises.
 */
import type { ExpectedVersion, MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { Undo } from '../ports.ts';
import type { Position } from './position.ts';
import type { StoredEvent } from './stored-event.ts';

export type { Position } from './position.ts';

/** A driver answers at once where it can (memory, SQLite), so that no promise is paid where the answer is at hand. */
export type MaybePromise<T> = T | Promise<T>;

/** What a value may be: JSON, or bytes. It is copied on its way in and out. */
export type StoredValue = JsonValue | Uint8Array<ArrayBuffer>;
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * A range of a producer's own gap-free sequence that a commit covers, from `seq` on: this is exactly-once without a
 * time window. The log keeps each producer's head in the same transaction, and compares:
 * the next sequence is applied; one that was covered whole is answered as the first time and changes nothing; any other
 * is refused with the expected one; an older epoch is fenced. A consumer that keeps a checkpoint is a producer too: its
 * sequence is the position that it has read to.
 */
export interface ProducerRange {
  readonly id: string;
  /** Rises each time another writer takes the producer over. */
  readonly epoch: number;
  /** The first of the range, from 1. */
  readonly seq: number;
  /** How many it covers. Default: as many as the commit has events. More, where some were dead-lettered or only read. */
  readonly count?: number;
}

export interface ProducerHead {
  readonly epoch: number;
  /** The last sequence that was covered. */
  readonly seq: number;
}

/** All of it, or nothing. */
export interface Commit {
  readonly events: readonly Event[];
  readonly producer?: ProducerRange | undefined;
  /**
   * Sequences that this commit takes exactly one step further: each must stand right before its range, else the commit
   * is refused with `producer.gap`. It is how state that was folded from what was read is put back: of two that read
   * the same, one is told to read again. Unlike `producer`, it knows no
   * repeat, and where `count` is left out it is 1.
   */
  readonly advance?: readonly ProducerRange[] | undefined;
  /** Versions that must hold before this commit. */
  readonly expect?:
    | readonly { readonly subject: string; readonly version: ExpectedVersion }[]
    | undefined;
  /** Values to keep, by key; `undefined` removes. The last of a key counts. */
  readonly put?: readonly (readonly [key: string, value: StoredValue | undefined])[] | undefined;
}

export type CommitResult =
  | {
      readonly ok: true;
      /** Of each event in turn: where it stands, from this commit or from an earlier one. */
      readonly positions: readonly Position[];
      /** How many of the events were stored before, with the same content. */
      readonly duplicates: number;
      /** The whole commit was applied before; this time it changed nothing. */
      readonly repeated: boolean;
    }
  | {
      readonly ok: false;
      /** `version.conflict`, `event.conflict`, `producer.gap`, `producer.fenced` or `producer.diverged`. */
      readonly error: MillraceError;
    };

/** All that is given must hold. Nothing given selects everything. */
export interface Query {
  readonly id?: string | undefined;
  readonly types?: readonly string[] | undefined;
  readonly correlationId?: string | undefined;
  readonly subject?: string | undefined;
  /** Event time, inclusive, in ms. */
  readonly from?: number | undefined;
  /** Event time, exclusive, in ms. */
  readonly to?: number | undefined;
  /** Only positions greater than this one. */
  readonly after?: Position | undefined;
  /** Only positions smaller than this one. */
  readonly before?: Position | undefined;
  /** Default: forward, by position. */
  readonly direction?: 'forward' | 'backward' | undefined;
  /** The most events in the page, 1 to 10,000. Default: 100. */
  readonly limit?: number | undefined;
}

/**
 * What one read gives. A page ends before an event that is damaged at rest; the read that would start with it throws
 * `storage.corrupt` with its position, and whoever goes on after that position reads on. To go on, ask again with `after: page.next` (`before: page.next` backwards). A page may hold
 * fewer events than asked for, or none, and still have `more`: one read looks at a bounded part of the log.
 */
export interface Page {
  readonly events: readonly StoredEvent[];
  /** Up to where the log was read, in the direction of the query. */
  readonly next: Position;
  /** Whether there may be more in that direction now. */
  readonly more: boolean;
  /** The log's last position when the page was read. */
  readonly head: Position;
}

export interface ListOptions {
  /** Only keys greater than this one. */
  readonly after?: string | undefined;
  /** 1 to 10,000. Default: 1,000. */
  readonly limit?: number | undefined;
}

export interface StorageStats {
  /** Events that can be read. */
  readonly events: number;
  /** Characters of their lines. */
  readonly bytes: number;
  /** Rows or records that hold them, where the driver has any. */
  readonly segments: number;
  /** The last position that was given, 0 in an empty log. */
  readonly head: Position;
  /** All positions up to this one were trimmed. */
  readonly trimmed: Position;
}

export interface Storage {
  /**
   * Applies the commits in their order, in one transaction, and gives one result each: a refused commit changes
   * nothing and stops no other. Where the transaction itself fails, all of them are as if never asked for.
   *
   * @throws MillraceError `storage.failed`, `storage.closed`, `event.invalid`, `limit.exceeded`
   */
  commit(batch: readonly Commit[]): MaybePromise<readonly CommitResult[]>;
  /** @throws MillraceError `query.invalid`, `storage.corrupt`, `storage.failed`, `storage.closed` */
  read(query: Query): MaybePromise<Page>;
  get(key: string): MaybePromise<StoredValue | undefined>;
  /** Entries whose key starts with `prefix`, sorted by key in code-unit order. */
  list(
    prefix: string,
    options?: ListOptions,
  ): MaybePromise<readonly (readonly [key: string, value: StoredValue])[]>;
  /** The head of a producer, `undefined` for one that never wrote. */
  producer(id: string): MaybePromise<ProducerHead | undefined>;
  /** The version of a subject: how many events it has had, those trimmed included. */
  version(subject: string): MaybePromise<number>;
  /** Forgets the events up to `until`, for good. Positions, versions and producers' heads stay. */
  trim(until: Position): MaybePromise<void>;
  /** Merges small segments, a bounded step at a time. Changes no read. Resolves to whether there is more to do. */
  compact(): MaybePromise<boolean>;
  stats(): MaybePromise<StorageStats>;
  /** Calls back after a commit that stored events. A hint: it may come late, twice or, from another process, never. */
  onCommit(listener: (head: Position) => void): Undo;
  /** Whatever is asked afterwards rejects with `storage.closed`. Closing again does nothing. */
  close(): MaybePromise<void>;
}

export const storageLimits = {
  /** The most events in one commit. */
  commitEvents: 10_000,
  /** The longest key of a value, in UTF-16 code units. */
  key: 512,
  /** The longest id of a producer. */
  producer: 256,
  pageEvents: 10_000,
} as const;
