/** Reads pages from a log of segments: loads the segments that may hold what is asked for, and selects in their columns. */
import type { BoundedQuery } from './check-input.ts';
import { wait, type Script } from './script.ts';
import { columnsOf, linesOf, type Segment } from './segment.ts';
import { findByIds } from './segment-find.ts';
import { emptySegmentHead, type SegmentHead, type SegmentTables } from './segment-tables.ts';
import { selects } from './selects.ts';
import type { Position } from './position.ts';
import type { Page } from './storage.ts';
import { StoredEvent } from './stored-event.ts';
import { termOfCorrelation, termOfSubject, termOfType, termsOfQuery } from './terms.ts';

/** Segments loaded at first; four times as many at each further step, up to the most at a time. */
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
  const found = yield* findByIds(tables, [query.id!], head, log);
  return [...found.values()].filter(
    ({ position, event }) => position > range.after && position < range.before && selects(query, event),
  );
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
  for (let step = FIRST_STEP; ; step = Math.min(step * 4, MOST_AT_A_TIME)) {
    const scope = {
      terms: termsOfQuery(query),
      from,
      to,
      direction: query.direction,
      minTime: query.from,
      maxTime: query.to,
    };
    const segments = yield* wait(tables.segments({ ...scope, limit: step }));
    for (const segment of segments) {
      for (const event of select(segment, query, range, log)) {
        if (events.length === query.limit) return page(events, events.at(-1)!.position, true, head);
        events.push(event);
      }
    }
    const last = segments.at(-1);
    if (last === undefined || segments.length < step) return page(events, end, false, head);
    if (forward) from = last.first + 1;
    else to = last.first;
    looked += segments.length;
    if (looked >= MOST_A_READ)
      return page(events, forward ? last.first + last.count - 1 : last.first, true, head);
  }
}

/** The events of the segment that the query selects, in its direction. None of them is decoded for it. */
function* select(
  segment: Segment,
  query: BoundedQuery,
  range: Range,
  log: string,
): Generator<StoredEvent> {
  const matches = matcher(segment, query);
  const lines = linesOf(segment, log);
  const start = Math.max(0, range.after + 1 - segment.first);
  const stop = Math.min(segment.count, range.before - segment.first);
  if (query.direction === 'forward') {
    for (let i = start; i < stop; i++)
      if (matches(i)) yield new StoredEvent(segment.first + i, lines[i]!);
  } else {
    for (let i = stop - 1; i >= start; i--)
      if (matches(i)) yield new StoredEvent(segment.first + i, lines[i]!);
  }
}

function matcher(segment: Segment, query: BoundedQuery): (index: number) => boolean {
  const columns = columnsOf(segment);
  const code = (term: string): number => segment.terms.indexOf(term);
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
