/** Puts lines together to requests that the edge takes: so many events, and so many bytes, at a time. */
import { createHash, type Hash } from 'node:crypto';
import type { Line } from './lines.ts';

export interface Entry {
  /** The line's number in the file. */
  readonly line: number;
  /** The event's, where it is none that the edge must refuse. */
  readonly id?: string;
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
  /** Of all lines up to the last. */
  readonly linesHash: string;
  readonly bytesRead: number;
}

export interface BatchOptions {
  /** The most events. */
  readonly size: number;
  /** Of the lines that come before these. Default: none come before. */
  readonly hash?: Hash;
}

/** Below the 4 MiB that the edge takes. */
const MAX_BYTES = 4_000_000;

/** Where the lines end by an error, what was read before it is a batch still. @throws that error, as the last thing */
export async function* inBatches(
  lines: AsyncIterable<Line>,
  { size, hash = hashLines() }: BatchOptions,
): AsyncGenerator<Batch> {
  let entries: Entry[] = [];
  let rejected: Rejection[] = [];
  let bytes = 0;
  let last: Line | undefined;
  const cut = (until: Line): Batch => {
    const linesHash = digest(hash);
    const batch = { entries, rejected, lastLine: until.number, linesHash, bytesRead: until.bytesRead };
    entries = [];
    rejected = [];
    bytes = 0;
    return batch;
  };
  let failure: { readonly error: unknown } | undefined;
  for await (const line of untilFailure(lines, (error) => (failure = { error }))) {
    const read = readEntry(line);
    const length = 'json' in read ? Buffer.byteLength(read.json) + 1 : 0;
    if (last !== undefined && bytes + length > MAX_BYTES && entries.length > 0) yield cut(last);
    addLine(hash, line);
    if ('json' in read) entries.push(read);
    else if (read.reason !== '') rejected.push(read);
    bytes += length;
    last = line;
    if (entries.length + rejected.length >= size) yield cut(line);
  }
  if (last !== undefined && entries.length + rejected.length > 0) yield cut(last);
  if (failure !== undefined) throw failure.error;
}

async function* untilFailure(
  lines: AsyncIterable<Line>,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Line> {
  try {
    yield* lines;
  } catch (error) {
    onFailure(error);
  }
}

/** A hash to which lines are added one after another: the same lines, the same hash. */
export function hashLines(): Hash {
  return createHash('sha256');
}

/** A line that cannot be sent counts by its reason. */
export function addLine(hash: Hash, { text, reason = '' }: Line): void {
  hash.update(text ?? reason).update('\n');
}

/** Of the lines so far: more may be added after it. */
export function digest(hash: Hash): string {
  return hash.copy().digest('hex');
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
  if (typeof event !== 'object' || event === null) return { line, json: text };
  if ('id' in event && event.id != null) {
    return { line, json: text, ...(typeof event.id === 'string' && { id: event.id }) };
  }
  const id = idOf(line, text);
  return { line, id, json: JSON.stringify({ ...event, id }) };
}

/** The same line gets the same id each time, so that a request that is sent again counts once. */
function idOf(line: number, text: string): string {
  return `replay-${createHash('sha256').update(`${line}\n${text}`).digest('hex').slice(0, 32)}`;
}
