/** Erases events' data in place: each keeps its position, id, type, time and terms, and reads as erased from then on. */
import { makeEvent, type Event } from '../../event/event.ts';
import { decodeLine, encodeLine } from '../../event/wire.ts';
import { ERASED } from '../erased.ts';
import type { Position } from '../position.ts';
import { allocateColumns, columnsOf, joinColumns } from './columns.ts';
import { packLines } from './lines.ts';
import { readLines } from './load-lines.ts';
import { wait, type Script } from './script.ts';
import { checksumOf, isSound, type Segment, type SegmentHeader } from './segment.ts';
import { changeOf, type SegmentTables } from './tables.ts';

/**
 * Erases the events from `from` to `to`, both included, of one segment: the first that holds any. Gives the position up
 * to which nothing is left to do.
 */
export function* eraseEvents(tables: SegmentTables, from: Position, to: Position): Script<Position> {
  const head = yield* wait(tables.head());
  if (head === undefined || from > to) return to;
  const start = yield* wait(tables.startOf(from));
  const scan = { terms: [], from: start, to: to + 1, direction: 'forward', limit: 1 } as const;
  const [header] = yield* wait(tables.headers(scan));
  if (header === undefined) return to;
  const last = header.first + header.count - 1;
  // Damaged columns do not say where the lines are: nothing of such a segment can be read, nor erased alone.
  if (last >= from && isSound(header)) {
    const { segment, freed } = yield* erased(tables, header, from, to);
    const bytes = head.bytes - freed;
    yield* wait(tables.write(changeOf({ ...head, bytes }, { added: [segment], removed: [header] })));
  }
  return Math.min(last, to);
}

function* erased(
  tables: SegmentTables,
  header: SegmentHeader,
  from: Position,
  to: Position,
): Script<{ readonly segment: Segment; readonly freed: number }> {
  const reader = yield* readLines(tables, header, 0, header.count);
  const damaged: number[] = [];
  let freed = 0;
  const lines = Array.from({ length: header.count }, (_, index) => {
    const line = reader.lineIfSound(index);
    if (line === undefined) damaged.push(index);
    const position = header.first + index;
    if (line === undefined || position < from || position > to) return line ?? '';
    const blank = encodeLine(blankEvent(decodeLine(line)));
    freed += line.length - blank.length;
    return blank;
  });
  const columns = allocateColumns(header.count);
  const old = columnsOf(header);
  for (const name of ['times', 'ids', 'types', 'correlations', 'subjects'] as const)
    columns[name].set(old[name]);
  const bytes = packLines(lines, columns);
  // What was damaged stays so: its text is gone, and no checksum may vouch for what stands there now.
  for (const index of damaged) columns.checksums[index] = ~columns.checksums[index]!;
  const joined = joinColumns(columns);
  const segment = { ...header, columns: joined, checksum: checksumOf(joined), lines: bytes };
  return { segment, freed };
}

/** A copy carries no line yet, and gets one of its own. */
function blankEvent(event: Event): Event {
  return makeEvent({ ...event, data: ERASED });
}
