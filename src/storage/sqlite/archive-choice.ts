/** Which segments go to the archive next: neighbours that are old, as many as one object holds. */
import { archiveLimits } from '../segments/archive.ts';
import type { SegmentHeader } from '../segments/segment.ts';
import type { SegmentHead } from '../segments/tables.ts';
import type { Position } from '../position.ts';
import type { ArchiveTables, LogMark, SegmentSize } from './archive-tables.ts';
import type { SqliteTables } from './tables.ts';

/** Marks in the time that it takes an event to become old. */
const MARKS = 16;

export interface ArchiveOptions {
  /** In ms since the Unix epoch. */
  readonly now: number;
  /**
   * Segments go whose last event is older, by its own time, or that the log has had for longer: a wrong clock keeps none
   * here for ever. Those that compaction may still merge stay, and so do a few, until they fill an object.
   */
  readonly olderThanMs: number;
  /** Whatever is old goes, however small. Default: false. */
  readonly small?: boolean | undefined;
}

export interface ArchiveStep {
  /** Whether there is more to do now. */
  readonly more: boolean;
  /** When a segment will be old that is not yet, where one is known: in ms since the Unix epoch. */
  readonly nextAt?: number | undefined;
}

/** What is to be put into one object. */
export interface Parcel {
  readonly headers: readonly SegmentHeader[];
  readonly lines: readonly Uint8Array<ArrayBuffer>[];
}

export class ArchiveChoice {
  readonly #tables: ArchiveTables;
  readonly #segments: SqliteTables;
  readonly #options: ArchiveOptions;
  readonly #head: SegmentHead | undefined;
  readonly #passed: readonly LogMark[];
  readonly #coming: readonly LogMark[];

  constructor(tables: ArchiveTables, segments: SqliteTables, options: ArchiveOptions) {
    this.#tables = tables;
    this.#segments = segments;
    this.#options = options;
    this.#head = segments.head();
    const marks = this.#mark();
    const old = options.now - options.olderThanMs;
    this.#passed = marks.filter(({ at }) => at <= old);
    this.#coming = marks.filter(({ at }) => at > old);
  }

  parcel(): Parcel | ArchiveStep {
    const { now, small = false } = this.#options;
    const before = this.#tables.done;
    const chosen: SegmentSize[] = [];
    let [done, bytes, whole] = [before, 0, small];
    let nextAt: number | undefined;
    for (const segment of this.#tables.sizes(before, archiveLimits.objectSegments)) {
      if (!this.#isFull(segment)) break;
      // What is there already, or damaged, ends an object: its neighbours go without it.
      const stays = segment.bytes === 0 || segment.bytes % 4 !== 0;
      whole ||= stays && chosen.length > 0;
      if (stays && chosen.length > 0) break;
      nextAt = stays ? now : this.#oldAt(segment);
      if (nextAt > now) break;
      if (stays) done = lastOf(segment);
      else chosen.push(segment);
      bytes += segment.bytes;
      whole ||= bytes >= archiveLimits.objectBytes || chosen.length === archiveLimits.objectSegments;
      if (bytes >= archiveLimits.objectBytes) break;
    }
    if (done !== before) this.#tables.setDone(done);
    if (whole && chosen.length > 0) return this.#load(chosen);
    return { more: done !== before, ...(nextAt !== undefined && nextAt > now && { nextAt }) };
  }

  /** Where the log stands now, noted from time to time. */
  #mark(): readonly LogMark[] {
    const { now, olderThanMs } = this.#options;
    const marks = this.#tables.marks();
    const last = marks.at(-1);
    const position = this.#head?.position ?? 0;
    const due = last === undefined || now - last.at >= olderThanMs / MARKS;
    if (!due || position <= (last?.position ?? 0)) return marks;
    this.#tables.mark({ position, at: now });
    // Of those that are old, the newest says all.
    const passed = marks.findLast(({ at }) => at <= now - olderThanMs);
    if (passed !== undefined) this.#tables.forgetMarks(passed.at);
    return [...marks, { position, at: now }];
  }

  /** Whether it is as large as it will get. */
  #isFull(segment: SegmentSize): boolean {
    return this.#options.small === true || lastOf(segment) <= (this.#head?.compacted ?? 0);
  }

  #oldAt(segment: SegmentSize): number {
    const { olderThanMs, now } = this.#options;
    const last = lastOf(segment);
    if (this.#passed.some(({ position }) => last <= position)) return now;
    const had = this.#coming.find(({ position }) => last <= position)?.at ?? now;
    return Math.min(segment.maxTime + 1, had) + olderThanMs;
  }

  #load(chosen: readonly SegmentSize[]): Parcel {
    const headers = chosen.map(({ first }) => this.#segments.header(first)!);
    const lines = headers.map((header) => this.#segments.lines(header, 0) as Uint8Array<ArrayBuffer>);
    return { headers, lines };
  }
}

/** The position of its last event. */
export function lastOf({
  first,
  count,
}: {
  readonly first: Position;
  readonly count: number;
}): Position {
  return first + count - 1;
}
