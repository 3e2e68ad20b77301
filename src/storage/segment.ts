/**
 * A segment: a run of events of dense positions, kept as one row or record. The lines stand in it as they were
 * captured; beside them stand the columns that a look-up needs, so that only the events it selects are ever decoded.
 *
 * The columns, for n events, little-endian, one after the other:
 *   n × u32  hash of the id
 *   n × u16  type, an index into `terms`     n × u16  correlation     n × u16  subject     (0xffff: none)
 *   n × f64  event time
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { encodeLine } from '../event/wire.ts';
import { hashText } from './hash.ts';
import type { Position } from './position.ts';
import { termOfCorrelation, termOfSubject, termOfType } from './terms.ts';

export interface Segment {
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
  readonly columns: Uint8Array<ArrayBuffer>;
  /** The events' lines, joined by line breaks. */
  readonly lines: string;
  /** FNV-1a of `lines`, so that damage at rest is told from data. */
  readonly checksum: number;
}

/**
 * The bounds of a segment. Past some 64 KiB compressed, IndexedDB spills a value into a file of its own and its rate
 * falls; a row of a Durable Object ends at 2 MB, which 512 Ki characters stay below at 3 bytes each.
 */
export const segmentLimits = { events: 400, characters: 524_288 } as const;

const BYTES_PER_EVENT = 18;
const NONE = 0xffff;

/** The columns of a segment, as views or copies that can be indexed by event. */
export interface Columns {
  readonly ids: Uint32Array;
  readonly types: Uint16Array;
  readonly correlations: Uint16Array;
  readonly subjects: Uint16Array;
  readonly times: Float64Array;
}

/** Packs events into segments; `isOrdered` tells which ids are ordered. */
export function packSegments(
  first: Position,
  events: readonly Event[],
  isOrdered: (id: string) => boolean,
): readonly Segment[] {
  const segments: Segment[] = [];
  let start = 0;
  let characters = 0;
  for (let i = 0; i <= events.length; i++) {
    const length = i < events.length ? encodeLine(events[i]!).length + 1 : Infinity;
    const full = i - start === segmentLimits.events || characters + length > segmentLimits.characters;
    if (full && i > start) {
      segments.push(packSegment(first + start, events.slice(start, i), isOrdered));
      start = i;
      characters = 0;
    }
    characters += length;
  }
  return segments;
}

function packSegment(
  first: Position,
  events: readonly Event[],
  isOrdered: (id: string) => boolean,
): Segment {
  const terms = new TermCodes();
  const columns = allocateColumns(events.length);
  const lines: string[] = [];
  let minTime = Infinity;
  let maxTime = -Infinity;
  let firstId = '';
  let lastId = '';
  for (const [i, event] of events.entries()) {
    columns.ids[i] = hashText(event.id);
    columns.types[i] = terms.code(termOfType(event.type));
    columns.correlations[i] =
      event.correlationId === undefined ? NONE : terms.code(termOfCorrelation(event.correlationId));
    columns.subjects[i] = event.subject === undefined ? NONE : terms.code(termOfSubject(event.subject));
    columns.times[i] = event.timestamp;
    if (event.timestamp < minTime) minTime = event.timestamp;
    if (event.timestamp > maxTime) maxTime = event.timestamp;
    if (isOrdered(event.id)) {
      if (firstId === '') firstId = event.id;
      lastId = event.id;
    }
    lines.push(encodeLine(event));
  }
  const text = lines.join('\n');
  return {
    first,
    count: events.length,
    minTime,
    maxTime,
    firstId,
    lastId,
    terms: terms.list,
    columns: joinColumns(columns),
    lines: text,
    checksum: hashText(text),
  };
}

/** One segment of the same events as several that follow on each other. */
export function mergeSegments(segments: readonly Segment[]): Segment {
  const count = segments.reduce((sum, segment) => sum + segment.count, 0);
  const terms = new TermCodes();
  const merged = allocateColumns(count);
  let at = 0;
  for (const segment of segments) {
    const columns = columnsOf(segment);
    const codes = segment.terms.map((term) => terms.code(term));
    const recode = (code: number): number => (code === NONE ? NONE : codes[code]!);
    merged.ids.set(columns.ids, at);
    merged.times.set(columns.times, at);
    merged.types.set(columns.types.map(recode), at);
    merged.correlations.set(columns.correlations.map(recode), at);
    merged.subjects.set(columns.subjects.map(recode), at);
    at += segment.count;
  }
  const lines = segments.map((segment) => segment.lines).join('\n');
  return {
    first: segments[0]!.first,
    count,
    minTime: Math.min(...segments.map((segment) => segment.minTime)),
    maxTime: Math.max(...segments.map((segment) => segment.maxTime)),
    firstId: segments.find((segment) => segment.firstId !== '')?.firstId ?? '',
    lastId: segments.findLast((segment) => segment.lastId !== '')?.lastId ?? '',
    terms: terms.list,
    columns: joinColumns(merged),
    lines,
    checksum: hashText(lines),
  };
}

/** The lines, one an event. @throws MillraceError `storage.corrupt` where they are not what was stored. */
export function linesOf(segment: Segment, log: string): readonly string[] {
  const lines = segment.lines.split('\n');
  if (lines.length === segment.count && hashText(segment.lines) === segment.checksum) return lines;
  throw new MillraceError(
    'storage.corrupt',
    `the segment of ${log} from position ${segment.first} is damaged: its ${segment.count} events cannot be read, the others can`,
    { log, position: segment.first },
  );
}

export function columnsOf(segment: Segment): Columns {
  // A copy where the bytes are not aligned for the widest column: a driver may hand out a view into a larger buffer.
  const { columns: bytes, count } = segment;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset: at } = aligned;
  return {
    ids: new Uint32Array(buffer, at, count),
    types: new Uint16Array(buffer, at + 4 * count, count),
    correlations: new Uint16Array(buffer, at + 6 * count, count),
    subjects: new Uint16Array(buffer, at + 8 * count, count),
    times: new Float64Array(aligned.slice(10 * count).buffer),
  };
}

function allocateColumns(count: number): Columns {
  return {
    ids: new Uint32Array(count),
    types: new Uint16Array(count),
    correlations: new Uint16Array(count),
    subjects: new Uint16Array(count),
    times: new Float64Array(count),
  };
}

function joinColumns(columns: Columns): Uint8Array<ArrayBuffer> {
  const count = columns.ids.length;
  const bytes = new Uint8Array(count * BYTES_PER_EVENT);
  let at = 0;
  for (const column of [
    columns.ids,
    columns.types,
    columns.correlations,
    columns.subjects,
    columns.times,
  ]) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  }
  return bytes;
}

/** Gives each distinct term the next code. At most 3 a event: a segment's 1,200 stay far below 0xffff. */
class TermCodes {
  readonly #codes = new Map<string, number>();

  code(term: string): number {
    let code = this.#codes.get(term);
    if (code === undefined) this.#codes.set(term, (code = this.#codes.size));
    return code;
  }

  get list(): readonly string[] {
    return [...this.#codes.keys()];
  }
}
