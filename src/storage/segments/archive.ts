/**
 * Where the lines of old segments may go: a store of whole objects, outside of the log's database. The log keeps all
 * that a look-up needs, and for each such segment where its lines stand.
 */
import { MillraceError, type ErrorDetails } from '../../errors.ts';
import type { Position } from '../position.ts';
import { hashWords } from './hash.ts';

/** Objects never change: a key is put once. */
export interface SegmentArchive {
  /** Resolves when the object is kept. Where it rejects, it may be kept all the same. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** `undefined` where there is no such object. */
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Resolves as well where there is no such object. */
  delete(key: string): Promise<void>;
}

/** Where the lines of a segment stand. */
export interface ArchivedSegment {
  /** The segment's first position. */
  readonly first: Position;
  /** The object's key. */
  readonly object: string;
  /** Of the lines in the object, in bytes. */
  readonly start: number;
  readonly length: number;
  /** Of the lines, see `checksumOfLines`. */
  readonly checksum: number;
}

export const archiveLimits = {
  /** An object is full with so many bytes, or segments: a segment more may pass the bytes. */
  objectBytes: 2_097_152,
  objectSegments: 64,
  /** What is kept in memory of objects that were read. */
  cacheBytes: 16_777_216,
  /** Objects that are read at the same time. */
  reads: 4,
  /** Objects that one commit is compared with. */
  commitObjects: 100,
} as const;

/** Only of whole words: lines are, unless they were damaged. */
export function checksumOfLines(lines: Uint8Array<ArrayBuffer>): number {
  const aligned = lines.byteOffset % 4 === 0 ? lines : lines.slice();
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2);
  return hashWords(words, 0, words.length);
}

/** @throws MillraceError `storage.archive-failed` where the lines in the object are not those that were put there. */
export function linesIn(
  object: Uint8Array<ArrayBuffer>,
  segment: ArchivedSegment,
  log: string,
): Uint8Array<ArrayBuffer> {
  const { start, length, checksum } = segment;
  const lines = object.subarray(start, start + length);
  if (lines.byteLength === length && checksumOfLines(lines) === checksum) return lines;
  throw archiveFailed(log, segment, 'changed');
}

const WHY: Readonly<Record<ErrorDetails['storage.archive-failed']['reason'], string>> = {
  missing: 'the archive does not have it: put it back from a copy',
  changed: 'what the archive has is not what was put there: put it back from a copy',
  unreachable: 'the archive does not answer: try again',
  unbound: 'no archive is bound: bind the one that the log was archived to',
};

export function archiveFailed(
  log: string,
  { first, object }: Pick<ArchivedSegment, 'first' | 'object'>,
  reason: ErrorDetails['storage.archive-failed']['reason'],
  cause?: unknown,
): MillraceError<'storage.archive-failed'> {
  const message = `the events of ${log} from position ${first} on are in the archive as ${object}, and could not be read: ${WHY[reason]}; the others can`;
  const details = { log, position: first, object, reason };
  return new MillraceError('storage.archive-failed', message, details, { cause });
}
