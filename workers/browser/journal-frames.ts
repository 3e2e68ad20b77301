/**
 * How a journal's file is written: frames, one behind another. A frame is two words, a checksum of what follows and the
 * length of its text in bytes, and the text, filled up with line breaks to a whole number of words.
 */
import { hashWords } from '../../src/storage/segments/hash.ts';

const WORD = 4;
const HEADER = 2 * WORD;
/** In bytes: many small frames come in one read. */
const BLOCK = 262_144;

export function encodeFrame(text: string): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(text);
  const words = new Uint32Array(2 + Math.ceil(body.length / WORD));
  const bytes = new Uint8Array(words.buffer).fill(10, HEADER);
  bytes.set(body, HEADER);
  words[1] = body.length;
  words[0] = hashWords(words, 1, words.length);
  return bytes;
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
