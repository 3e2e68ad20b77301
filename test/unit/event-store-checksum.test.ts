import { expect, test } from 'vitest';
import { hashWords } from '../../src/storage/segments/hash.ts';

test('any bit that changes, in a text of any length, changes the checksum', () => {
  for (let length = 1; length <= 13; length++) {
    const words = Uint32Array.from({ length }, (_, i) => Math.imul(i + 1, 0x9e37_79b9));
    const sound = hashWords(words, 0, length);
    for (let i = 0; i < length; i++) {
      for (let bit = 0; bit < 32; bit++) {
        words[i]! ^= 1 << bit;
        expect(hashWords(words, 0, length)).not.toBe(sound);
        words[i]! ^= 1 << bit;
      }
    }
    expect(hashWords(words, 0, length - 1)).not.toBe(sound);
  }
});

test('two words that change places change the checksum', () => {
  const words = Uint32Array.from({ length: 12 }, (_, i) => i * i + 1);
  const sound = hashWords(words, 0, 12);
  for (let i = 0; i < 12; i++) {
    for (let j = 0; j < i; j++) {
      [words[i], words[j]] = [words[j]!, words[i]!];
      expect(hashWords(words, 0, 12)).not.toBe(sound);
      [words[i], words[j]] = [words[j]!, words[i]!];
    }
  }
});
