/** Texts with `*` for any text. Matched by searching its literal parts from left to right: linear, with no going back. */
export interface Wildcard {
  readonly head: string;
  readonly middle: readonly string[];
  readonly tail: string;
}

/** The wildcard's literal text where it has no `*`; its parts; or what is wrong with it. */
export function parseWildcard(
  text: string,
): { readonly literal: string } | { readonly wildcard: Wildcard } | { readonly reason: string } {
  const parts = [''];
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '*') {
      if (text[i + 1] === '*') return { reason: 'must not have two * in a row: one is enough' };
      parts.push('');
    } else if (char === '\\') {
      const next = text[++i];
      if (next !== '*' && next !== '\\')
        return { reason: 'may escape * and \\ alone, by a \\ before it' };
      parts[parts.length - 1] += next;
    } else parts[parts.length - 1] += char;
  }
  if (parts.length === 1) return { literal: parts[0]! };
  return { wildcard: { head: parts[0]!, middle: parts.slice(1, -1), tail: parts.at(-1)! } };
}

export function matchesWildcard({ head, middle, tail }: Wildcard, text: string): boolean {
  const end = text.length - tail.length;
  if (!text.startsWith(head) || !text.endsWith(tail)) return false;
  let from = head.length;
  for (const part of middle) {
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  // Neither the head nor a middle part shares a character with the tail.
  return from <= end;
}
