/** Puts lines together to requests that the edge takes: so many events, and so many bytes, at a time. */
import { createHash } from 'node:crypto';
import type { Line } from './lines.ts';

export interface Entry {
  /** The line's number in the file. */
  readonly line: number;
  /** The event as JSON. */
  readonly json: string;
}

export interface Rejection {
  readonly line: number;
  readonly reason: string;
}

export interface Batch {
  readonly entries: readonly Entry[];
  /** Lines that cannot even be sent. */
  readonly rejected: readonly Rejection[];
  /** The last line that the batch covers, empty ones too. */
  readonly lastLine: number;
  readonly bytesRead: number;
}

export interface BatchOptions {
  /** The most events. */
  readonly size: number;
  /** Lines up to this one are passed over. Default: 0. */
  readonly after?: number;
}

/** Below the 4 MiB that the edge takes. */
const MAX_BYTES = 4_000_000;

export async function* inBatches(
  lines: AsyncIterable<Line>,
  { size, after = 0 }: BatchOptions,
): AsyncGenerator<Batch> {
  let entries: Entry[] = [];
  let rejected: Rejection[] = [];
  let bytes = 0;
  let last: Line | undefined;
  const cut = (until: Line): Batch => {
    const batch = { entries, rejected, lastLine: until.number, bytesRead: until.bytesRead };
    entries = [];
    rejected = [];
    bytes = 0;
    return batch;
  };
  for await (const line of lines) {
    if (line.number <= after) continue;
    const read = readEntry(line);
    const length = 'json' in read ? Buffer.byteLength(read.json) + 1 : 0;
    if (last !== undefined && bytes + length > MAX_BYTES && entries.length > 0) yield cut(last);
    if ('json' in read) entries.push(read);
    else if (read.reason !== '') rejected.push(read);
    bytes += length;
    last = line;
    if (entries.length + rejected.length >= size) yield cut(line);
  }
  if (last !== undefined && entries.length + rejected.length > 0) yield cut(last);
}

/** An empty line is no event and no mistake: its reason is empty. */
function readEntry({ number: line, text, reason }: Line): Entry | Rejection {
  if (text === undefined) return { line, reason: reason ?? 'cannot be read' };
  if (text.trim() === '') return { line, reason: '' };
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch (error) {
    return { line, reason: `is no JSON: ${(error as Error).message}` };
  }
  if (typeof event !== 'object' || event === null || ('id' in event && event.id != null))
    return { line, json: text };
  return { line, json: JSON.stringify({ ...event, id: idOf(line, text) }) };
}

/** The same line gets the same id each time, so that a request that is sent again counts once. */
function idOf(line: number, text: string): string {
  return `replay-${createHash('sha256').update(`${line}\n${text}`).digest('hex').slice(0, 32)}`;
}
