/**
 * How a journal's file is written: frames, one behind another. A frame is two words, a checksum of what follows and the
 * length of its text in bytes, and the text, filled up with line breaks to a whole number of words.
 */
import { hashWords } from '../../src/storage/segments/hash.ts';

const WORD = 4;
const HEADER = 2 * WORD;
export const LINE_BREAK = 10;
/** In bytes: many small frames come in one read. */
const BLOCK = 262_144;

/** Lines encoded in one go: an engine gives a text past some 128 KiB fresh pages, at eight times the cost. */
const GROUP = 64;

const encoder = new TextEncoder();
/** Used again for each frame, for the same reason. */
let room = new Uint8Array();

/** The text of the lines as one frame. It stands where the next one is going to be written. */
export function encodeFrame(lines: readonly string[]): Uint8Array<ArrayBuffer> {
  const ascii = lines.reduce((sum, line) => sum + line.length + 1, HEADER + WORD);
  if (room.length < ascii) room = new Uint8Array(ascii);
  // A character may take three bytes.
  return writeFrame(lines, room) ?? writeFrame(lines, new Uint8Array(3 * ascii))!;
}

/** `undefined` where there is too little room. */
function writeFrame(
  lines: readonly string[],
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  let end = HEADER;
  for (let at = 0; at < lines.length; at += GROUP) {
    const text = (at > 0 ? '\n' : '') + lines.slice(at, at + GROUP).join('\n');
    const { read, written } = encoder.encodeInto(text, bytes.subarray(end));
    end += written;
    if (read < text.length || end + WORD > bytes.length) return undefined;
  }
  const length = end - HEADER;
  const words = new Uint32Array(bytes.buffer, 0, 2 + Math.ceil(length / WORD));
  const frame = bytes.subarray(0, words.byteLength);
  frame.fill(LINE_BREAK, end);
  words[1] = length;
  words[0] = hashWords(words, 1, words.length);
  return frame;
}

export interface Frame {
  /** Where it begins. */
  readonly at: number;
  /** Where the next one begins. */
  readonly next: number;
  /** Of its text. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type ReadBytes = (at: number, length: number) => Uint8Array<ArrayBuffer>;

/** The frames from one on, up to the first that is not whole. No more than `block`, or one frame, is read at a time. */
export function* framesOf(size: number, read: ReadBytes, from = 0, block = BLOCK): Generator<Frame> {
  let start = from;
  let bytes = new Uint8Array();
  const words = (at: number, length: number): Uint32Array<ArrayBuffer> => {
    if (at + length > start + bytes.length)
      bytes = read((start = at), Math.min(size - at, Math.max(length, block)));
    return new Uint32Array(bytes.buffer, bytes.byteOffset + at - start, length / WORD);
  };
  for (let at = from; at + HEADER <= size;) {
    const length = words(at, HEADER)[1]!;
    const next = at + HEADER + Math.ceil(length / WORD) * WORD;
    if (next > size) return;
    const frame = words(at, next - at);
    if (hashWords(frame, 1, frame.length) !== frame[0]) return;
    yield { at, next, bytes: new Uint8Array(frame.buffer, frame.byteOffset + HEADER, length) };
    at = next;
  }
}

/** The texts up to the first frame that is not whole, and where that begins. */
export function decodeFrames(bytes: Uint8Array<ArrayBuffer>): { texts: string[]; end: number } {
  const texts: string[] = [];
  let end = 0;
  for (const frame of framesOf(bytes.length, (at, length) => bytes.subarray(at, at + length))) {
    texts.push(new TextDecoder().decode(frame.bytes));
    end = frame.next;
  }
  return { texts, end };
}
