/** FNV-1a, 32 bits (Fowler, Noll, Vo), by larger steps than bytes. For look-ups and checksums, not against an adversary. */
// Signed: a number past 2³¹ would have the loops below count in floating point, at twice the cost.
const OFFSET = 0x811c_9dc5 | 0;
const PRIME = 0x0100_0193;

/** Over UTF-16 code units. */
export function hashText(text: string): number {
  let hash = OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash >>> 0;
}

/**
 * Over the words from `start` to, but without, `end`. The shift carries a word's high bits into the low ones. Four lanes
 * side by side: each step waits for the one before it, so that one lane alone would leave the processor idle.
 */
export function hashWords(words: Uint32Array | Uint16Array, start: number, end: number): number {
  let a = OFFSET;
  let b = OFFSET + 1;
  let c = OFFSET + 2;
  let d = OFFSET + 3;
  let i = start;
  for (; i + 3 < end; i += 4) {
    a = Math.imul(a ^ words[i]!, PRIME);
    b = Math.imul(b ^ words[i + 1]!, PRIME);
    c = Math.imul(c ^ words[i + 2]!, PRIME);
    d = Math.imul(d ^ words[i + 3]!, PRIME);
    a ^= a >>> 15;
    b ^= b >>> 15;
    c ^= c >>> 15;
    d ^= d >>> 15;
  }
  for (; i < end; i++) a = mix(a, words[i]!);
  return mix(mix(mix(a, b), c), d) >>> 0;
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, PRIME);
  return mixed ^ (mixed >>> 15);
}
