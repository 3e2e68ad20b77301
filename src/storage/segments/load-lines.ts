/** Loads just the lines that are asked for out of a segment. */
import { bytesOfLines, LineReader } from './lines.ts';
import { wait, type Script } from './script.ts';
import type { SegmentHeader } from './segment.ts';
import type { SegmentTables } from './tables.ts';

/** A reader of the lines of events `from` to, but without, `to`. */
export function* readLines(
  tables: SegmentTables,
  header: SegmentHeader,
  from: number,
  to: number,
): Script<LineReader> {
  const { start, end } = bytesOfLines(header, from, to);
  return new LineReader(header, from, yield* wait(tables.lines(header, start, end)));
}
