/** Reads pages from a log of segments: loads the segments that may hold what is asked for, and selects in their columns. */
import type { BoundedQuery } from '../check-input.ts';
import { LinesAbsent } from './archived-lines.ts';
import { wait, type Script } from './script.ts';
import { columnsOf } from './columns.ts';
import { SegmentDecoder } from './decode.ts';
import { readLines } from './load-lines.ts';
import { corrupt } from './lines.ts';
import { isSound, type SegmentHeader } from './segment.ts';
import { findByIds } from './find.ts';
import { emptySegmentHead, type SegmentHead, type SegmentTables } from './tables.ts';
import { selects } from '../selects.ts';
import type { Position } from '../position.ts';
import type { Page } from '../storage.ts';
import { StoredEvent } from '../stored-event.ts';
import { termOfCorrelation, termOfSubject, termOfType, termsOfQuery } from '../terms.ts';

/** Segments loaded at first. */
const FIRST_STEP = 4;
const MOST_AT_A_TIME = 64;
/** Segments that one read looks at before it gives back what it has. */
const MOST_A_READ = 256;

/** Positions greater than `after` and smaller than `before` that exist. */
interface Range {
  readonly after: Position;
  readonly before: Position;
}

export function* readSegments(tables: SegmentTables, query: BoundedQuery, log: string): Script<Page> {
  const head = (yield* wait(tables.head())) ?? emptySegmentHead;
  const range = {
    after: Math.max(query.after, head.trimmed),
    before: Math.min(query.before, head.position + 1),
  };
  const end = query.direction === 'forward' ? Math.max(query.after, range.before - 1) : query.after + 1;
  if (range.before - range.after < 2) return page([], end, false, head);
  if (query.id !== undefined)
    return page(yield* byId(tables, query, range, head, log), end, false, head);
  return yield* scan(tables, query, range, head, end, log);
}

function* byId(
  tables: SegmentTables,
  query: BoundedQuery,
  range: Range,
  head: SegmentHead,
  log: string,
): Script<StoredEvent[]> {
  const found = (yield* findByIds(tables, [query.id!], head)).get(query.id!);
  if (found === undefined || found.position <= range.after || found.position >= range.before) return [];
  if (found.stored === undefined) throw corrupt(log, found.position);
  return selects(query, found.stored.event) ? [found.stored] : [];
}

function* scan(
  tables: SegmentTables,
  query: BoundedQuery,
  range: Range,
  head: SegmentHead,
  end: Position,
  log: string,
): Script<Page> {
  const events: StoredEvent[] = [];
  const forward = query.direction === 'forward';
  let from = yield* wait(tables.startOf(range.after + 1));
  let to = range.before;
  let looked = 0;
  for (let step = FIRST_STEP; ; step = nextStep(step, looked, events.length, query.limit)) {
    const scope = {
      terms: termsOfQuery(query),
      from,
      to,
      direction: query.direction,
      minTime: query.from,
      maxTime: query.to,
    };
    const headers = yield* wait(tables.headers({ ...scope, limit: step }));
    for (const header of headers) {
      const room = query.limit - events.length;
      const sound = isSound(header);
      const { indexes, more } = select(header, sound, query, range, room);
      const damaged =
        indexes.length > 0 ? yield* load(tables, header, sound, indexes, events) : undefined;
      // What must be fetched first begins a page of its own: no read waits for it that has something to give.
      if (damaged === 'absent')
        return page(events, forward ? header.first - 1 : header.first + header.count, true, head);
      // The page ends right before a damaged event: who goes on from it is told of that event, and of no other.
      if (damaged !== undefined) {
        if (events.length === 0) throw corrupt(log, damaged);
        return page(events, forward ? damaged - 1 : damaged + 1, true, head);
      }
      if (more) return page(events, events.at(-1)?.position ?? end, true, head);
    }
    const last = headers.at(-1);
    if (last === undefined || headers.length < step) return page(events, end, false, head);
    if (forward) from = last.first + 1;
    else to = last.first;
    looked += headers.length;
    if (looked >= MOST_A_READ)
      return page(events, forward ? last.first + last.count - 1 : last.first, true, head);
  }
}

/** Four times as many segments, or fewer where what was found so far says that fewer fill the page. */
function nextStep(step: number, looked: number, found: number, limit: number): number {
  const enough = found === 0 ? Infinity : Math.ceil(((limit + 1 - found) * looked) / found);
  return Math.min(step * 4, enough, MOST_AT_A_TIME);
}

/** Which of the segment's events the query selects, in its direction: at most `room`, and whether there are more. */
function select(
  header: SegmentHeader,
  sound: boolean,
  query: BoundedQuery,
  range: Range,
  room: number,
): { readonly indexes: readonly number[]; readonly more: boolean } {
  const matches = sound ? matcher(header, query) : () => true;
  const start = Math.max(0, range.after + 1 - header.first);
  const stop = Math.min(header.count, range.before - header.first);
  const indexes: number[] = [];
  const step = query.direction === 'forward' ? 1 : -1;
  for (let i = step > 0 ? start : stop - 1; i >= start && i < stop; i += step) {
    if (!matches(i)) continue;
    if (indexes.length === room) return { indexes, more: true };
    indexes.push(i);
  }
  return { indexes, more: false };
}

/**
 * Loads the lines from the first selected event to the last, none before and none behind, and decodes none. Gives the
 * position of the first that is damaged, where it stopped, or that they are not at hand.
 */
function* load(
  tables: SegmentTables,
  header: SegmentHeader,
  sound: boolean,
  indexes: readonly number[],
  events: StoredEvent[],
): Script<Position | 'absent' | undefined> {
  if (!sound) return header.first + indexes[0]!;
  const [a, b] = [indexes[0]!, indexes.at(-1)!];
  let reader;
  try {
    reader = yield* readLines(tables, header, Math.min(a, b), Math.max(a, b) + 1);
  } catch (error) {
    if (error instanceof LinesAbsent && events.length > 0) return 'absent';
    throw error;
  }
  const decoder = new SegmentDecoder(header);
  for (const i of indexes) {
    const line = reader.lineIfSound(i);
    if (line === undefined) return header.first + i;
    events.push(new StoredEvent(header.first + i, line, undefined, decoder));
  }
  return undefined;
}

function matcher(header: SegmentHeader, query: BoundedQuery): (index: number) => boolean {
  const columns = columnsOf(header);
  const code = (term: string): number => header.terms.indexOf(term);
  const types = query.types && new Set(query.types.map((type) => code(termOfType(type))));
  const correlation =
    query.correlationId === undefined ? undefined : code(termOfCorrelation(query.correlationId));
  const subject = query.subject === undefined ? undefined : code(termOfSubject(query.subject));
  const { from, to } = query;
  return (i) =>
    (types === undefined || types.has(columns.types[i]!)) &&
    (correlation === undefined || columns.correlations[i] === correlation) &&
    (subject === undefined || columns.subjects[i] === subject) &&
    (from === undefined || columns.times[i]! >= from) &&
    (to === undefined || columns.times[i]! < to);
}

function page(events: readonly StoredEvent[], next: Position, more: boolean, head: SegmentHead): Page {
  return { events, next, more, head: head.position };
}
