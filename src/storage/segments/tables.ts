/**
 * What a database must offer, inside one transaction, for a log of segments to stand on it. Each method is one request.
 */
import type { LogHead } from '../commit-plan.ts';
import type { Segment, SegmentHeader } from './segment.ts';
import type { Position } from '../position.ts';
import type { MaybePromise, ProducerHead, StoredValue } from '../storage.ts';

export interface SegmentHead extends LogHead {
  readonly segments: number;
  /** Segments up to this position are as large as they will get. */
  readonly compacted: Position;
}

/** Which segments to load, by the position of their first event. */
export interface SegmentScan {
  /** Only segments with any of these terms; empty: all. */
  readonly terms: readonly string[];
  /** Inclusive. */
  readonly from: Position;
  /** Exclusive. */
  readonly to: Position;
  readonly direction: 'forward' | 'backward';
  /** Only segments that may hold an event of `minTime` or later, and before `maxTime`. */
  readonly minTime?: number | undefined;
  readonly maxTime?: number | undefined;
  readonly limit: number;
}

/** What a transaction leaves behind. */
export interface LogChange {
  readonly head: SegmentHead;
  readonly added: readonly Segment[];
  readonly removed: readonly SegmentHeader[];
  /** Ids that are not ordered, each with its position: they have entries of their own. */
  readonly unordered: readonly (readonly [id: string, position: Position])[];
  /** Ids whose entries go, where they have any. */
  readonly forgotten: readonly string[];
  readonly versions: ReadonlyMap<string, number>;
  readonly producers: ReadonlyMap<string, ProducerHead>;
  readonly values: ReadonlyMap<string, StoredValue | undefined>;
}

export interface SegmentTables {
  head(): MaybePromise<SegmentHead | undefined>;
  /** The greatest first position of a segment that is at most `position`; 0 where there is none. */
  startOf(position: Position): MaybePromise<Position>;
  /** The segment that starts at `first`. */
  header(first: Position): MaybePromise<SegmentHeader | undefined>;
  /** The segment with the greatest non-empty `firstId` that is at most `id`. */
  headerOfId(id: string): MaybePromise<SegmentHeader | undefined>;
  /** Sorted by first position, in the scan's direction. */
  headers(scan: SegmentScan): MaybePromise<readonly SegmentHeader[]>;
  /** The bytes of a segment's lines from `start` to, but without, `end`; to the last where `end` is left out. */
  lines(header: SegmentHeader, start: number, end?: number): MaybePromise<Uint8Array<ArrayBuffer>>;
  /** The positions of ids that have entries of their own. */
  unordered(ids: readonly string[]): MaybePromise<ReadonlyMap<string, Position>>;
  versions(subjects: readonly string[]): MaybePromise<ReadonlyMap<string, number>>;
  producers(ids: readonly string[]): MaybePromise<ReadonlyMap<string, ProducerHead>>;
  value(key: string): MaybePromise<StoredValue | undefined>;
  values(
    prefix: string,
    after: string,
    limit: number,
  ): MaybePromise<readonly (readonly [string, StoredValue])[]>;
  write(change: LogChange): MaybePromise<void>;
}

/** A database that holds one log's tables. */
export interface SegmentDatabase {
  /** The log's name, for errors. */
  readonly log: string;
  /**
   * Runs the script in one transaction: all that it writes, or nothing where it throws. May answer at once.
   *
   * @throws MillraceError `storage.failed` where the database fails; what the script throws, as it is.
   */
  transact<T>(
    mode: 'read' | 'write',
    script: (tables: SegmentTables) => Generator<Promise<unknown>, T, unknown>,
  ): MaybePromise<T>;
  close(): MaybePromise<void>;
}

export const emptySegmentHead: SegmentHead = {
  position: 0,
  maxId: '',
  trimmed: 0,
  events: 0,
  bytes: 0,
  segments: 0,
  compacted: 0,
};

/** A change that leaves everything but the head as it is. */
export function changeOf(head: SegmentHead, change: Partial<LogChange> = {}): LogChange {
  return {
    head,
    added: [],
    removed: [],
    unordered: [],
    forgotten: [],
    versions: new Map(),
    producers: new Map(),
    values: new Map(),
    ...change,
  };
}
