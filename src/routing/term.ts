/** A term: one matcher of a pattern, compiled. */
import { isInBlock, parseAddress, type Block } from './address.ts';
import { foldCase } from './letter-case.ts';
import type { Leaf } from './pattern.ts';
import { matchesWildcard, type Wildcard } from './wildcard.ts';

export const Kind = {
  exact: 0,
  ignoreCase: 1,
  prefix: 2,
  suffix: 3,
  prefixIgnoreCase: 4,
  suffixIgnoreCase: 5,
  numeric: 6,
  cidr: 7,
  wildcard: 8,
  anythingBut: 9,
  exists: 10,
  absent: 11,
  /** Of several terms of one field, one at least. */
  anyOf: 12,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Both ends are in it. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** None of these. The values are looked up, the others tried. */
export interface Exclusion {
  readonly values: ReadonlySet<Leaf>;
  readonly terms: readonly Term[];
}

/** By the numbers that a table gives to terms. */
export interface Choice {
  /** Rising. */
  readonly exact: readonly number[];
  readonly others: readonly number[];
}

// One shape for all kinds: terms are read in the innermost loop.
export class Term {
  readonly kind: Kind;
  /** Tells it from the other terms of its kind: for texts the text itself, folded where case is ignored. */
  readonly key: Leaf;
  readonly detail: Interval | Block | Wildcard | Exclusion | Choice | undefined;

  constructor(kind: Kind, key: Leaf, detail?: Term['detail']) {
    this.kind = kind;
    this.key = key;
    this.detail = detail;
  }
}

/** Whether the leaf is what the term asks for. A term of absence is true of no leaf. */
export function testTerm(term: Term, leaf: Leaf): boolean {
  switch (term.kind) {
    case Kind.exact:
      return leaf === term.key;
    case Kind.numeric: {
      const { low, high } = term.detail as Interval;
      return typeof leaf === 'number' && leaf >= low && leaf <= high;
    }
    case Kind.exists:
      return true;
    case Kind.absent:
      return false;
    case Kind.anythingBut: {
      const { values, terms } = term.detail as Exclusion;
      return !values.has(leaf) && !terms.some((one) => testTerm(one, leaf));
    }
    default:
      return typeof leaf === 'string' && testText(term, leaf);
  }
}

function testText(term: Term, text: string): boolean {
  const key = term.key as string;
  switch (term.kind) {
    case Kind.prefix:
      return text.startsWith(key);
    case Kind.suffix:
      return text.endsWith(key);
    case Kind.ignoreCase:
      return foldCase(text) === key;
    case Kind.prefixIgnoreCase:
      return foldCase(text).startsWith(key);
    case Kind.suffixIgnoreCase:
      return foldCase(text).endsWith(key);
    case Kind.wildcard:
      return matchesWildcard(term.detail as Wildcard, text);
    default: {
      const address = parseAddress(text);
      return address !== undefined && isInBlock(address, term.detail as Block);
    }
  }
}
