/**
 * How a journal's file is written: frames, one behind another. A frame is two words, a checksum of what follows and the
 * length of its text in bytes, and the text, filled up with line breaks to a whole number of words.
 */
import { hashWords } from '../../src/storage/segments/hash.ts';

const WORD = 4;
const HEADER = 2 * WORD;

export function encodeFrame(text: string): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(text);
  const words = new Uint32Array(2 + Math.ceil(body.length / WORD));
  const bytes = new Uint8Array(words.buffer).fill(10, HEADER);
  bytes.set(body, HEADER);
  words[1] = body.length;
  words[0] = hashWords(words, 1, words.length);
  return bytes;
}

/** The texts up to the first frame that is not whole, and where that begins. `bytes` is all of its buffer. */
export function decodeFrames(bytes: Uint8Array<ArrayBuffer>): { texts: string[]; end: number } {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
  const texts: string[] = [];
  let at = 0;
  while (at + 1 < words.length) {
    const length = words[at + 1]!;
    const start = at + 2;
    const next = start + Math.ceil(length / WORD);
    if (next > words.length || hashWords(words, at + 1, next) !== words[at]) break;
    texts.push(new TextDecoder().decode(bytes.subarray(start * WORD, start * WORD + length)));
    at = next;
  }
  return { texts, end: at * WORD };
}
