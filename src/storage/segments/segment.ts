/**
 * A segment: a run of events of dense positions, kept as one row or record. Their lines stand in it as they were
 * captured; beside them stand the columns that a look-up needs, so that only the events it selects are ever decoded.
 */
import type { Event } from '../../event/event.ts';
import { encodeLine } from '../../event/wire.ts';
import { allocateColumns, columnBytes, columnsOf, joinColumns, NONE, type Columns } from './columns.ts';
import { hashText, hashWords } from './hash.ts';
import { mergeLines, packLines } from './lines.ts';
import type { Position } from '../position.ts';
import { termOfCorrelation, termOfSubject, termOfType } from '../terms.ts';

/** All of a segment but the lines. */
export interface SegmentHeader {
  /** The position of its first event. */
  readonly first: Position;
  readonly count: number;
  /** The smallest and the largest event time. */
  readonly minTime: number;
  readonly maxTime: number;
  /**
   * The smallest and largest of its *ordered* ids, those that were greater than every UUIDv7 before them in the log;
   * '' where it has none. Ordered ids rise through the whole log, so a search by id needs no entry for each of them.
   */
  readonly firstId: string;
  readonly lastId: string;
  /** The distinct terms of its events. */
  readonly terms: readonly string[];
  /** See `columns.ts`. */
  readonly columns: Uint8Array<ArrayBuffer>;
  /** Of the columns. Each line has its own among them. */
  readonly checksum: number;
}

export interface Segment extends SegmentHeader {
  /** See `lines.ts`. */
  readonly lines: Uint8Array<ArrayBuffer>;
}

/**
 * The bounds of a segment; `characters` are of its lines and terms together. Past some 64 KiB compressed, IndexedDB
 * spills a value into a file of its own and its rate falls; a row of a Durable Object ends at 2 MB, which 512 Ki
 * characters stay below at 3 bytes each.
 */
export const segmentLimits = { events: 400, characters: 524_288 } as const;

/** What ends a line, at the most. */
const WORD = 4;

/** Packs events into segments; `isOrdered` tells by their index which ids are ordered. */
export function packSegments(
  first: Position,
  events: readonly Event[],
  isOrdered: (index: number) => boolean,
): readonly Segment[] {
  const segments: Segment[] = [];
  let start = 0;
  let characters = 0;
  for (let i = 0; i <= events.length; i++) {
    const length = i < events.length ? charactersOf(events[i]!) : Infinity;
    const full = i - start === segmentLimits.events || characters + length > segmentLimits.characters;
    if (full && i > start) {
      const from = start;
      const isOrderedHere = (at: number): boolean => isOrdered(from + at);
      segments.push(packSegment(first + start, events.slice(start, i), isOrderedHere));
      start = i;
      characters = 0;
    }
    characters += length;
  }
  return segments;
}

/** Of an event, and of its terms, as if no other event shared them. */
function charactersOf(event: Event): number {
  const { type, correlationId = '', subject = '' } = event;
  return encodeLine(event).length + WORD + type.length + correlationId.length + subject.length;
}

function packSegment(
  first: Position,
  events: readonly Event[],
  isOrdered: (index: number) => boolean,
): Segment {
  const terms = new TermCodes();
  const codes = {
    type: terms.kind(termOfType),
    correlation: terms.kind(termOfCorrelation),
    subject: terms.kind(termOfSubject),
  };
  const columns = allocateColumns(events.length);
  let firstId = '';
  let lastId = '';
  for (let i = 0; i < events.length; i++) {
    const event = events[i]!;
    columns.ids[i] = hashText(event.id);
    columns.types[i] = codes.type(event.type);
    columns.correlations[i] = codes.correlation(event.correlationId);
    columns.subjects[i] = codes.subject(event.subject);
    columns.times[i] = event.timestamp;
    if (!isOrdered(i)) continue;
    if (firstId === '') firstId = event.id;
    lastId = event.id;
  }
  const lines = packLines(events.map(encodeLine), columns);
  return { first, firstId, lastId, ...summary(terms, columns), lines };
}

/** One segment of the same events as several that follow on each other. */
export function mergeSegments(segments: readonly Segment[]): Segment {
  const terms = new TermCodes();
  const merged = allocateColumns(segments.reduce((sum, segment) => sum + segment.count, 0));
  let at = 0;
  let bytes = 0;
  for (const segment of segments) {
    const columns = columnsOf(segment);
    const codes = segment.terms.map((term) => terms.code(term));
    const recode = (code: number): number => (code === NONE ? NONE : codes[code]!);
    merged.ids.set(columns.ids, at);
    merged.checksums.set(columns.checksums, at);
    merged.times.set(columns.times, at);
    merged.offsets.set(
      columns.offsets.map((offset) => offset + bytes),
      at,
    );
    merged.types.set(columns.types.map(recode), at);
    merged.correlations.set(columns.correlations.map(recode), at);
    merged.subjects.set(columns.subjects.map(recode), at);
    at += segment.count;
    bytes += segment.lines.byteLength;
  }
  return {
    first: segments[0]!.first,
    firstId: segments.find((segment) => segment.firstId !== '')?.firstId ?? '',
    lastId: segments.findLast((segment) => segment.lastId !== '')?.lastId ?? '',
    ...summary(terms, merged),
    lines: mergeLines(segments.map(({ lines }) => lines)),
  };
}

/** Whether the columns are what was stored. Without them nothing of the segment can be told. */
export function isSound(header: SegmentHeader): boolean {
  return (
    header.columns.byteLength === columnBytes(header.count) &&
    checksumOf(header.columns) === header.checksum
  );
}

export function checksumOf(columns: Uint8Array<ArrayBuffer>): number {
  const even = columns.byteOffset % 2 === 0 ? columns : columns.slice();
  const halves = new Uint16Array(even.buffer, even.byteOffset, even.byteLength / 2);
  return hashWords(halves, 0, halves.length);
}

function summary(terms: TermCodes, columns: Columns) {
  const bytes = joinColumns(columns);
  return {
    count: columns.times.length,
    minTime: columns.times.reduce((a, b) => Math.min(a, b), Infinity),
    maxTime: columns.times.reduce((a, b) => Math.max(a, b), -Infinity),
    terms: terms.list,
    columns: bytes,
    checksum: checksumOf(bytes),
  };
}

/** Gives each distinct term the next code. At most 3 an event: a segment's 1,200 stay far below `NONE`. */
class TermCodes {
  readonly #codes = new Map<string, number>();

  code(term: string): number {
    let code = this.#codes.get(term);
    if (code === undefined) this.#codes.set(term, (code = this.#codes.size));
    return code;
  }

  /** The codes of one kind of term, by value: a term is only written out when it is met first. */
  kind(toTerm: (value: string) => string): (value: string | undefined) => number {
    const codes = new Map<string, number>();
    return (value) => {
      if (value === undefined) return NONE;
      let code = codes.get(value);
      if (code === undefined) codes.set(value, (code = this.code(toTerm(value))));
      return code;
    };
  }

  get list(): readonly string[] {
    return [...this.#codes.keys()];
  }
}
