/**
 * The lines of a segment: UTF-8, each ended by one to four line breaks, so that every line starts at a multiple of four
 * bytes and is checked a word at a time. Any part of them between two starts can be loaded alone.
 */
import { MillraceError } from '../../errors.ts';
import { columnsOf, type Columns } from './columns.ts';
import { hashWords } from './hash.ts';
import type { Position } from '../position.ts';

/** Of a segment, what its lines are found by. */
interface LineColumns {
  readonly first: Position;
  readonly count: number;
  readonly columns: Uint8Array<ArrayBuffer>;
}

const LINE_BREAK = 10;
const WORD = 4;
/** What ends a line, by its length in bytes modulo a word. */
const ENDINGS = ['\n\n\n\n', '\n\n\n', '\n\n', '\n'];
/** UTF-8 takes at most three bytes for a UTF-16 code unit. */
const BYTES_PER_CODE_UNIT = 3;
/** So many lines of a part are decoded alone, in case that few are wanted; from then on, lines come by groups. */
const SINGLES = 8;
/** Lines encoded, or decoded, in one go. Not all: an engine gives a text past some 128 KiB fresh pages, at eight times the cost. */
const GROUP = 64;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The lines as bytes; their offsets and checksums are written into the columns. */
export function packLines(
  lines: readonly string[],
  columns: Pick<Columns, 'offsets' | 'checksums'>,
): Uint8Array<ArrayBuffer> {
  const bytes = packAscii(lines, columns.offsets) ?? packUnicode(lines, columns.offsets);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < lines.length; i++) {
    const end = i + 1 < lines.length ? columns.offsets[i + 1]! : bytes.byteLength;
    columns.checksums[i] = hashWords(words, columns.offsets[i]! / WORD, end / WORD);
  }
  return bytes;
}

/** A group of lines in each call of the encoder, where each of their characters is one byte. */
function packAscii(lines: readonly string[], offsets: Uint32Array): Uint8Array<ArrayBuffer> | undefined {
  let length = 0;
  for (let i = 0; i < lines.length; i++) {
    offsets[i] = length;
    length += lines[i]!.length + ENDINGS[lines[i]!.length % WORD]!.length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let from = 0; from < lines.length; from += GROUP) {
    let text = '';
    const to = Math.min(lines.length, from + GROUP);
    for (let i = from; i < to; i++) text += lines[i]! + ENDINGS[lines[i]!.length % WORD]!;
    const { read, written } = encoder.encodeInto(text, bytes.subarray(at));
    // A character that takes more: there are more bytes than characters, or there was too little room for them.
    if (read !== text.length || written !== text.length) return undefined;
    at += written;
  }
  return bytes;
}

function packUnicode(lines: readonly string[], offsets: Uint32Array): Uint8Array<ArrayBuffer> {
  const bound = lines.reduce((sum, line) => sum + line.length * BYTES_PER_CODE_UNIT + WORD, 0);
  const bytes = new Uint8Array(bound);
  let at = 0;
  for (let i = 0; i < lines.length; i++) {
    offsets[i] = at;
    at += encoder.encodeInto(lines[i]!, bytes.subarray(at)).written;
    do bytes[at++] = LINE_BREAK;
    while (at % WORD !== 0);
  }
  return bytes.slice(0, at);
}

export function mergeLines(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const merged = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    merged.set(part, at);
    at += part.byteLength;
  }
  return merged;
}

/** Where the bytes of events `from` to, but without, `to` stand in the lines; the end is open for the last. */
export function bytesOfLines(
  header: LineColumns,
  from: number,
  to: number,
): { start: number; end: number | undefined } {
  const { offsets } = columnsOf(header);
  return { start: offsets[from]!, end: offsets[to] };
}

/** Reads single lines from a part of a segment's lines that starts with event `from`'s. */
export class LineReader {
  readonly #count: number;
  readonly #columns: Columns;
  readonly #from: number;
  /** Where the part starts in the lines. */
  readonly #base: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Uint32Array;
  #reads = 0;
  #group = -1;
  #groupStart = 0;
  #groupText: string | undefined;

  constructor(header: LineColumns, from: number, bytes: Uint8Array<ArrayBuffer>) {
    this.#count = header.count;
    this.#columns = columnsOf(header);
    this.#from = from;
    this.#base = this.#columns.offsets[from]!;
    this.#bytes = bytes.byteOffset % WORD === 0 ? bytes : bytes.slice();
    this.#words = new Uint32Array(
      this.#bytes.buffer,
      this.#bytes.byteOffset,
      this.#bytes.byteLength >> 2,
    );
  }

  /** `undefined` where the line is not what was stored. */
  lineIfSound(index: number): string | undefined {
    const start = this.#startOf(index);
    const end = this.#startOf(index + 1);
    const whole = end <= this.#bytes.byteLength && start < end;
    if (!whole) return undefined;
    const checksum = hashWords(this.#words, start / WORD, end / WORD);
    if (checksum !== this.#columns.checksums[index]) return undefined;
    return this.#decode(index, start, this.#endOfLine(end));
  }

  /** The end of the part, where the line is not in it. */
  #startOf(index: number): number {
    const { byteLength } = this.#bytes;
    return index < this.#count ? this.#columns.offsets[index]! - this.#base : byteLength;
  }

  #endOfLine(end: number): number {
    const bytes = this.#bytes;
    let last = end - 1;
    while (bytes[last - 1] === LINE_BREAK) last--;
    return last;
  }

  #decode(index: number, start: number, end: number): string {
    if (++this.#reads > SINGLES) {
      const group = Math.floor((index - this.#from) / GROUP);
      if (group !== this.#group) this.#decodeGroup(group);
      const text = this.#groupText;
      if (text !== undefined) return text.slice(start - this.#groupStart, end - this.#groupStart);
    }
    return decoder.decode(this.#bytes.subarray(start, end));
  }

  /** Kept where each of the bytes is one character, so that offsets are the same in both. */
  #decodeGroup(group: number): void {
    const first = this.#from + group * GROUP;
    const start = this.#startOf(first);
    const bytes = this.#bytes.subarray(start, this.#startOf(first + GROUP));
    const text = decoder.decode(bytes);
    this.#group = group;
    this.#groupStart = start;
    this.#groupText = text.length === bytes.byteLength ? text : undefined;
  }
}

export function corrupt(log: string, position: Position): MillraceError<'storage.corrupt'> {
  return new MillraceError(
    'storage.corrupt',
    `the event at position ${position} of ${log} is damaged and cannot be read; the others can: go on after it`,
    { log, position },
  );
}
