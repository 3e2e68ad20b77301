/** A field that rules name: its leaves in the event at hand, and its terms so that a leaf finds those it makes true. */
import { blockKey, parseAddress, type Block } from './address.ts';
import { attributeReader } from './event-attributes.ts';
import { IntervalTree } from './interval-tree.ts';
import { Lengths } from './lengths.ts';
import { foldCase } from './letter-case.ts';
import type { Leaf } from './pattern.ts';
import { Kind, type Interval, type Term } from './term.ts';

export class Field {
  readonly path: string;
  /** For attributes. */
  readonly read: ReturnType<typeof attributeReader>;
  /** The event whose leaves these are, as `EventFields` counts them; the first `count` are valid. */
  epoch = 0;
  count = 0;
  readonly leaves: Leaf[] = [];
  /** The element of an array that each leaf is in, 0 for none. */
  readonly elements: number[] = [];
  /** How many terms there are, asked for or not. */
  terms = 0;
  readonly #byKey: (Map<Leaf, number> | undefined)[] = [];
  readonly #lengths: (Lengths | undefined)[] = [];
  readonly #v6Lengths = new Lengths();
  #intervals: IntervalTree | undefined;
  #found: number[] = [];

  constructor(path: string) {
    this.path = path;
    this.read = attributeReader(path);
  }

  term(kind: Kind, key: Leaf): number | undefined {
    return this.#byKey[kind]?.get(key);
  }

  addTerm(term: Term, id: number): void {
    (this.#byKey[term.kind] ??= new Map()).set(term.key, id);
    this.terms++;
  }

  removeTerm(term: Term): void {
    const terms = this.#byKey[term.kind]!;
    terms.delete(term.key);
    if (terms.size === 0) this.#byKey[term.kind] = undefined;
    this.terms--;
  }

  /** From now on `find` finds the term. Those without rules under them are not looked for where that costs. */
  post(term: Term, id: number): void {
    if (term.kind === Kind.numeric) {
      const { low, high } = term.detail as Interval;
      (this.#intervals ??= new IntervalTree()).add(low, high, id);
    } else this.#lengthsOf(term)?.add(lengthOf(term));
  }

  unpost(term: Term, id: number): void {
    if (term.kind === Kind.numeric) {
      const { low, high } = term.detail as Interval;
      this.#intervals!.remove(low, high, id);
    } else this.#lengthsOf(term)?.remove(lengthOf(term));
  }

  /** How many numeric terms with rules are true about where this one is, roughly. */
  crowd({ low, high }: Interval): number {
    if (this.#intervals === undefined) return 0;
    if (low === -Infinity || high === Infinity) return this.#intervals.size / 2;
    this.#found.length = 0;
    this.#intervals.find((low + high) / 2, this.#found, CROWD);
    return this.#found.length < CROWD ? this.#found.length : this.#intervals.size / 4;
  }

  /** Appends the terms that the leaf makes true, of those that can be looked up. */
  find(leaf: Leaf, found: number[]): void {
    const exact = this.#byKey[Kind.exact]?.get(leaf);
    if (exact !== undefined) found.push(exact);
    if (typeof leaf === 'string') this.#findText(leaf, found);
    else if (typeof leaf === 'number') this.#intervals?.find(leaf, found);
  }

  #findText(text: string, found: number[]): void {
    this.#findPrefixes(Kind.prefix, text, found);
    this.#findSuffixes(Kind.suffix, text, found);
    const ignoringCase = this.#byKey[Kind.ignoreCase];
    const prefixes = this.#byKey[Kind.prefixIgnoreCase];
    const suffixes = this.#byKey[Kind.suffixIgnoreCase];
    if (ignoringCase !== undefined || prefixes !== undefined || suffixes !== undefined) {
      const folded = foldCase(text);
      const term = ignoringCase?.get(folded);
      if (term !== undefined) found.push(term);
      this.#findPrefixes(Kind.prefixIgnoreCase, folded, found);
      this.#findSuffixes(Kind.suffixIgnoreCase, folded, found);
    }
    if (this.#byKey[Kind.cidr] !== undefined) this.#findBlocks(text, found);
  }

  #findPrefixes(kind: Kind, text: string, found: number[]): void {
    const lengths = this.#lengths[kind];
    if (lengths === undefined) return;
    const terms = this.#byKey[kind]!;
    for (const length of lengths.rising) {
      if (length > text.length) return;
      const term = terms.get(text.slice(0, length));
      if (term !== undefined) found.push(term);
    }
  }

  #findSuffixes(kind: Kind, text: string, found: number[]): void {
    const lengths = this.#lengths[kind];
    if (lengths === undefined) return;
    const terms = this.#byKey[kind]!;
    for (const length of lengths.rising) {
      if (length > text.length) return;
      const term = terms.get(text.slice(text.length - length));
      if (term !== undefined) found.push(term);
    }
  }

  #findBlocks(text: string, found: number[]): void {
    const address = parseAddress(text);
    if (address === undefined) return;
    const lengths = address.length === 1 ? this.#lengths[Kind.cidr] : this.#v6Lengths;
    const terms = this.#byKey[Kind.cidr]!;
    for (const length of lengths?.rising ?? []) {
      const term = terms.get(blockKey(address, length));
      if (term !== undefined) found.push(term);
    }
  }

  #lengthsOf(term: Term): Lengths | undefined {
    if (term.kind === Kind.cidr && (term.detail as Block).words === 4) return this.#v6Lengths;
    if (!hasLength(term.kind)) return undefined;
    return (this.#lengths[term.kind] ??= new Lengths());
  }
}

/** The most terms counted one by one. */
const CROWD = 64;

function hasLength(kind: Kind): boolean {
  return (kind >= Kind.prefix && kind <= Kind.suffixIgnoreCase) || kind === Kind.cidr;
}

function lengthOf(term: Term): number {
  return term.kind === Kind.cidr ? (term.detail as Block).length : (term.key as string).length;
}
