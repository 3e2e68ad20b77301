/** FNV-1a, 32 bits (Fowler, Noll, Vo), by larger steps than bytes. For look-ups and checksums, not against an adversary. */
const OFFSET = 0x811c_9dc5;
const PRIME = 0x0100_0193;

/** Over UTF-16 code units. */
export function hashText(text: string): number {
  let hash = OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash >>> 0;
}

/** Over the words from `start` to, but without, `end`. The shift carries a word's high bits into the low ones. */
export function hashWords(words: Uint32Array | Uint16Array, start: number, end: number): number {
  let hash = OFFSET;
  for (let i = start; i < end; i++) {
    hash = Math.imul(hash ^ words[i]!, PRIME);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
