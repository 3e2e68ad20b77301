import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeFrames, encodeFrame } from '../../workers/browser/journal-frames.ts';

const texts = ['{"a":1}\n', '', 'x', 'Grüße 🌊 und mehr', 'a'.repeat(101)];

const frameOf = (text: string): Uint8Array => encodeFrame(text.split('\n')).slice();

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const frames = texts.map(frameOf);
const whole = joined(frames);
const ends = frames.map((_, i) => joined(frames.slice(0, i + 1)).length);

it('frames come back as they went in', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 150 }).map((lines) => lines.join('\n')),
      ),
      (some) => {
        const bytes = joined(some.map(frameOf));
        expect(decodeFrames(bytes)).toEqual({ texts: some, end: bytes.length });
      },
    ),
  );
});

it('of what is torn at any byte, all whole frames come back, and where the rest begins', () => {
  for (let cut = 0; cut <= whole.length; cut++) {
    const count = ends.filter((end) => end <= cut).length;
    expect(decodeFrames(whole.slice(0, cut)), `cut at ${cut}`).toEqual({
      texts: texts.slice(0, count),
      end: ends[count - 1] ?? 0,
    });
  }
});

it('what is damaged at any byte, zeros, or the rest of an older frame end what is read', () => {
  for (let at = 0; at < whole.length; at++) {
    const damaged = whole.slice();
    damaged[at]! ^= 0x10;
    const before = ends.filter((end) => end <= at).length;
    expect(decodeFrames(damaged).texts, `damaged at ${at}`).toEqual(texts.slice(0, before));
  }
  expect(decodeFrames(joined([whole, new Uint8Array(64)]))).toEqual({ texts, end: whole.length });
  const rest = joined([whole, frameOf('an older one').subarray(8)]);
  expect(decodeFrames(rest)).toEqual({ texts, end: whole.length });
});
