/**
 * The terms of all rules: each distinct one is kept once, under a number, with its answer for the event at hand. Flat
 * arrays by number, for a rule is to cost a few words.
 */
import type { EventFields } from './event-fields.ts';
import type { Field } from './field.ts';
import type { Leaf } from './pattern.ts';
import { Kind, Term, testTerm, type Choice } from './term.ts';

export class TermTable {
  readonly #fields: EventFields;
  readonly #terms: (Term | undefined)[] = [];
  readonly #field: (Field | undefined)[] = [];
  readonly #users: number[] = [];
  readonly #free: number[] = [];
  #epoch = 0;
  /** The event that each was last answered for, counted from 1: itself where it is true, negative where not. */
  readonly #answers: number[] = [];

  constructor(fields: EventFields) {
    this.#fields = fields;
  }

  get size(): number {
    return this.#terms.length - this.#free.length;
  }

  /** The number of the term, or of the choice where they are several. Each `acquire` asks for a `release`. */
  acquire(path: string, terms: readonly Term[]): number {
    const field = this.#fields.acquire(path);
    if (terms.length === 1) return this.#acquire(field, terms[0]!);
    const members = terms.map((term) => this.#acquire(field, term)).toSorted((a, b) => a - b);
    return this.#acquireChoice(field, members);
  }

  /** One more user of a term that has one. */
  share(id: number): number {
    this.#users[id]!++;
    return id;
  }

  release(id: number): void {
    if (--this.#users[id]! > 0) return;
    const field = this.#field[id]!;
    const term = this.#terms[id]!;
    field.removeTerm(term);
    if (term.kind === Kind.anyOf) for (const member of membersOf(term)) this.release(member);
    if (field.terms === 0) this.#fields.release(field);
    this.#terms[id] = undefined;
    this.#field[id] = undefined;
    this.#free.push(id);
  }

  term(id: number): Term {
    return this.#terms[id]!;
  }

  /** How many conditions and choices have it. */
  users(id: number): number {
    return this.#users[id]!;
  }

  fieldOf(id: number): Field {
    return this.#field[id]!;
  }

  /** The answers so far were about another event. */
  forget(): void {
    this.#epoch++;
  }

  /** One of the event's leaves has led to it. */
  markTrue(id: number): void {
    this.#answers[id] = this.#epoch;
  }

  /** Whether the event makes it true: evaluated once an event. */
  isTrue(id: number): boolean {
    const known = this.#answers[id]!;
    if (known === this.#epoch) return true;
    if (known === -this.#epoch) return false;
    const answer = this.#evaluate(this.#terms[id]!, this.#field[id]!);
    this.#answers[id] = answer ? this.#epoch : -this.#epoch;
    return answer;
  }

  /** Whether that leaf alone makes it true. */
  isTrueOf(id: number, leaf: Leaf): boolean {
    const term = this.#terms[id]!;
    if (term.kind !== Kind.anyOf) return testTerm(term, leaf);
    return membersOf(term).some((member) => testTerm(this.#terms[member]!, leaf));
  }

  #evaluate(term: Term, field: Field): boolean {
    if (term.kind === Kind.anyOf) return this.#evaluateChoice(term.detail as Choice, field);
    if (!this.#fields.has(field)) return term.kind === Kind.absent;
    for (let i = 0; i < field.count; i++) if (testTerm(term, field.leaves[i]!)) return true;
    return false;
  }

  #evaluateChoice({ exact, others }: Choice, field: Field): boolean {
    const leaves = this.#fields.has(field) ? field.count : 0;
    for (let i = 0; i < leaves; i++) {
      const id = field.term(Kind.exact, field.leaves[i]!);
      if (id !== undefined && includes(exact, id)) return true;
    }
    for (let i = 0; i < others.length; i++) if (this.isTrue(others[i]!)) return true;
    return false;
  }

  #acquire(field: Field, term: Term): number {
    const known = field.term(term.kind, term.key);
    return known === undefined ? this.#open(field, term) : this.share(known);
  }

  /** Takes over the members, which the caller has acquired. */
  #acquireChoice(field: Field, members: readonly number[]): number {
    const key = members.join();
    const known = field.term(Kind.anyOf, key);
    if (known !== undefined) {
      for (const member of members) this.release(member);
      return this.share(known);
    }
    const isExact = (id: number): boolean => this.#terms[id]!.kind === Kind.exact;
    const choice = { exact: members.filter(isExact), others: members.filter((id) => !isExact(id)) };
    return this.#open(field, new Term(Kind.anyOf, key, choice));
  }

  #open(field: Field, term: Term): number {
    const id = this.#free.pop() ?? this.#terms.length;
    this.#terms[id] = term;
    this.#field[id] = field;
    this.#users[id] = 1;
    this.#answers[id] = 0;
    field.addTerm(term, id);
    return id;
  }
}

/** The terms that it stands for: itself, where it is no choice. */
export function membersOf(term: Term): readonly number[] {
  const { exact, others } = term.detail as Choice;
  return [...exact, ...others];
}

/** Binary search in rising numbers. */
function includes(rising: readonly number[], value: number): boolean {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rising[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return rising[low] === value;
}
