/** FNV-1a over UTF-16 code units, 32 bits (Fowler, Noll, Vo). For look-ups and checksums, not against an adversary. */
export function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}
