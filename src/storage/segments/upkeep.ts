/** The upkeep of a log of segments: forgetting its start, and merging small segments. Neither changes what is read. */
import { isUuidV7 } from '../../event/ids.ts';
import { decodeLine } from '../../event/wire.ts';
import { wait, type Script } from './script.ts';
import { readLines } from './load-lines.ts';
import { isSound, mergeSegments, segmentLimits, type Segment, type SegmentHeader } from './segment.ts';
import { changeOf, type SegmentHead, type SegmentTables } from './tables.ts';
import type { Position } from '../position.ts';

const SEGMENTS_A_STEP = 64;
/** A run of small segments is merged before it is full once it is this long, so that each event is rewritten rarely. */
const RUN_LENGTH = 16;

/** Forgets all up to `until`. The segment that `until` cuts stays until it is behind as a whole. */
export function* trimSegments(tables: SegmentTables, until: Position): Script<void> {
  const head = yield* wait(tables.head());
  if (head === undefined) return;
  const end = Math.min(until, head.position);
  if (end <= head.trimmed) return;
  const removed: SegmentHeader[] = [];
  const forgotten: string[] = [];
  let { bytes } = head;
  let from = yield* wait(tables.startOf(head.trimmed + 1));
  for (;;) {
    const [segment] = yield* wait(
      tables.headers({ terms: [], from, to: end + 1, direction: 'forward', limit: 1 }),
    );
    if (segment === undefined) break;
    // Only what this trim forgets: an id that an earlier one forgot may have been stored anew since.
    const start = Math.max(0, head.trimmed + 1 - segment.first);
    const stop = Math.min(segment.count, end + 1 - segment.first);
    // Damaged events are forgotten like any other; what they counted for stays in the figures. Damaged columns do not
    // even say where the lines are.
    if (isSound(segment)) {
      const reader = yield* readLines(tables, segment, 0, stop);
      const hasEntry = entriesOf(segment);
      for (let i = 0; i < stop; i++) {
        const line = reader.lineIfSound(i);
        const entry = hasEntry(line);
        if (line === undefined || i < start) continue;
        bytes -= line.length;
        if (entry !== undefined) forgotten.push(entry);
      }
    }
    if (segment.first + segment.count - 1 <= end) removed.push(segment);
    from = segment.first + 1;
  }
  const events = head.events - (end - head.trimmed);
  const trimmed: SegmentHead = {
    ...head,
    trimmed: end,
    events,
    bytes,
    segments: head.segments - removed.length,
  };
  yield* wait(tables.write(changeOf(trimmed, { removed, forgotten })));
}

/**
 * Tells of a segment's lines, from the first on, which ids may have an entry of their own: to delete the others would take
 * as long as all the rest. An ordered id is greater than those before it, from the segment's first on. Behind a damaged
 * line nobody knows.
 */
function entriesOf({ firstId }: SegmentHeader): (line: string | undefined) => string | undefined {
  let last = '';
  let known = true;
  return (line) => {
    known &&= line !== undefined;
    if (line === undefined) return undefined;
    const { id } = decodeLine(line);
    if (!known || !(last === '' ? id === firstId : id > last && isUuidV7(id))) return id;
    last = id;
    return undefined;
  };
}

/** One bounded step of merging. Returns whether there is more to do. */
export function* compactSegments(tables: SegmentTables): Script<boolean> {
  const head = yield* wait(tables.head());
  if (head === undefined) return false;
  const scan = {
    terms: [],
    from: head.compacted + 1,
    to: head.position + 1,
    direction: 'forward',
    limit: SEGMENTS_A_STEP,
  } as const;
  const headers = yield* wait(tables.headers(scan));
  const segments: Segment[] = [];
  for (const header of headers)
    segments.push({ ...header, lines: yield* wait(tables.lines(header, 0)) });
  const { full, open } = groupSegments(segments);
  const merges = [...full, ...(open.length >= RUN_LENGTH ? [open] : [])].filter(
    (group) => group.length > 1,
  );
  const last = full.at(-1)?.at(-1);
  const compacted = last === undefined ? head.compacted : last.first + last.count - 1;
  const removed = merges.flat();
  if (removed.length === 0 && compacted === head.compacted) return false;
  const added = merges.map(mergeSegments);
  const merged = { ...head, compacted, segments: head.segments - removed.length + added.length };
  yield* wait(tables.write(changeOf(merged, { added, removed })));
  return segments.length === SEGMENTS_A_STEP;
}

/** Neighbours put together as far as a segment's bounds allow: `full` groups cannot take their next neighbour. */
function groupSegments(segments: readonly Segment[]): { full: readonly Segment[][]; open: Segment[] } {
  const full: Segment[][] = [];
  let open: Segment[] = [];
  let events = 0;
  let bytes = 0;
  for (const segment of segments) {
    const fits =
      events + segment.count <= segmentLimits.events &&
      bytes + bytesOf(segment) <= segmentLimits.characters;
    if (!fits && open.length > 0) {
      full.push(open);
      open = [];
      events = bytes = 0;
    }
    open.push(segment);
    events += segment.count;
    bytes += bytesOf(segment);
  }
  return { full, open };
}

/** Of its lines, and of its terms at the most. A damaged segment fills any other: it is left as it is. */
function bytesOf(segment: Segment): number {
  if (!isSound(segment)) return Infinity;
  return segment.terms.reduce((sum, term) => sum + 3 * term.length, segment.lines.byteLength);
}
