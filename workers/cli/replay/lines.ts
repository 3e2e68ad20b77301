/** The lines of a file, gzipped or not, in bounded memory. */
import { createReadStream } from 'node:fs';
import { gunzip } from './gunzip.ts';
import { LastingError } from './request.ts';

export interface Line {
  /** From 1, as an editor counts them. */
  readonly number: number;
  /** None where it is too long, or no UTF-8: then `reason` says so. */
  readonly text?: string;
  readonly reason?: string;
  /** How much of the file, as it is on disk, was read by then. */
  readonly bytesRead: number;
}

const MAX_LINE_BYTES = 4_194_304;
const NEWLINE = 0x0a;

/**
 * `-` reads the standard input.
 *
 * @throws LastingError where the file is damaged, Error where it cannot be read: both after the last line before it
 */
export async function* readLines(file: string): AsyncGenerator<Line> {
  const name = file === '-' ? 'The standard input' : file;
  let last = 0;
  try {
    for await (const line of read(file)) {
      last = line.number;
      yield line;
    }
  } catch (cause) {
    const { message, code = '' } = cause as NodeJS.ErrnoException;
    if (code.startsWith('Z_'))
      throw new LastingError(`${name} is damaged after line ${last}: ${message}.`, { cause });
    throw new Error(`${name} cannot be read after line ${last}: ${message}.`, { cause });
  }
}

async function* read(file: string): AsyncGenerator<Line> {
  let bytesRead = 0;
  const source = file === '-' ? process.stdin : createReadStream(file);
  const counted = count(source, (bytes) => (bytesRead += bytes));
  let number = 0;
  for await (const bytes of split(await unzip(counted))) {
    number++;
    yield { number, bytesRead, ...decode(bytes, number === 1) };
  }
}

async function* count(
  chunks: AsyncIterable<Buffer>,
  add: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    add(chunk.length);
    yield chunk;
  }
}

/** Told by its first bytes (RFC 1952), not by its name. */
async function unzip(chunks: AsyncGenerator<Buffer>): Promise<AsyncIterable<Buffer>> {
  let start = Buffer.alloc(0);
  while (start.length < 2) {
    const { value, done } = await chunks.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  const whole = prepend(start, chunks);
  const zipped = start[0] === 0x1f && start[1] === 0x8b;
  return zipped ? gunzip(whole) : whole;
}

async function* prepend(start: Buffer, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (start.length > 0) yield start;
  yield* chunks;
}

/** `undefined` for a line that is too long to be an event: it is passed over without being kept. */
async function* split(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer | undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (part: Buffer): void => {
    length += part.length;
    if (length <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  const line = (): Buffer | undefined => {
    const whole = length <= MAX_LINE_BYTES ? Buffer.concat(parts) : undefined;
    parts = [];
    length = 0;
    return whole;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end));
      yield line();
      start = end + 1;
    }
    take(chunk.subarray(start));
  }
  if (length > 0) yield line();
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer | undefined, isFirst: boolean): { text: string } | { reason: string } {
  if (bytes === undefined) return { reason: `is longer than ${MAX_LINE_BYTES} bytes` };
  try {
    const text = utf8.decode(bytes);
    return { text: isFirst ? text.replace(/^\ufeff/, '') : text };
  } catch {
    return { reason: 'is no UTF-8' };
  }
}
