/**
 * Finds which of many patterns match an event, without trying them one by one.
 *
 * Each alternative of a pattern is posted under its rarest condition that a leaf can be looked up by. An event's leaves
 * find terms, the terms' postings are the alternatives to verify, and each distinct term is evaluated once an event.
 */
import type { Event } from '../event/event.ts';
import { holdTogether } from './array-consistency.ts';
import { EventFields } from './event-fields.ts';
import type { Alternative } from './parse-pattern.ts';
import { PostingLists } from './posting-lists.ts';
import { Kind, Term, type Interval } from './term.ts';
import { membersOf, TermTable } from './term-table.ts';
import type { Wildcard } from './wildcard.ts';

/** A pattern's own number in the index; it is used again once the pattern is removed. */
export type RuleNumber = number;

export interface AddedRule {
  readonly number: RuleNumber;
  /** Whether an alternative has no condition to look it up by, so that it is verified at every event. */
  readonly scanned: boolean;
}

/** Of each how many there are; terms and fields are shared between rules. */
export interface RuleIndexStats {
  readonly rules: number;
  readonly alternatives: number;
  readonly postings: number;
  readonly terms: number;
  readonly fields: number;
}

export class RuleIndex {
  readonly #fields = new EventFields();
  /** A condition is a term, or a choice of terms, by its number here. */
  readonly #terms = new TermTable(this.#fields);
  readonly #lists = new PostingLists();
  readonly #rules: (readonly number[] | undefined)[] = [];
  readonly #freeRules: number[] = [];
  readonly #ruleOf: number[] = [];
  readonly #conditions: (readonly number[] | undefined)[] = [];
  /** The postings of an alternative; none where it is scanned. */
  readonly #postings: (readonly number[] | undefined)[] = [];
  readonly #freeAlternatives: number[] = [];
  readonly #scanned = new Set<number>();
  /** The event at hand. */
  #epoch = 0;
  readonly #matchedAt: number[] = [];
  readonly #found: number[] = [];
  readonly #places = new Map<number, readonly number[]>();

  /** What is in it: all zero once every rule is removed. */
  stats(): RuleIndexStats {
    return {
      rules: this.#rules.length - this.#freeRules.length,
      alternatives: this.#ruleOf.length - this.#freeAlternatives.length,
      postings: this.#lists.size,
      terms: this.#terms.size,
      fields: this.#fields.size,
    };
  }

  add(alternatives: readonly Alternative[]): AddedRule {
    const number = this.#freeRules.pop() ?? this.#rules.length;
    this.#matchedAt[number] = 0;
    const added = alternatives.map((alternative) => this.#addAlternative(number, alternative));
    this.#rules[number] = added;
    return { number, scanned: added.some((one) => this.#scanned.has(one)) };
  }

  remove(number: RuleNumber): void {
    for (const alternative of this.#rules[number]!) this.#removeAlternative(alternative);
    this.#rules[number] = undefined;
    this.#freeRules.push(number);
  }

  /** Appends the numbers of all that match, each once, in no order. */
  match(event: Event, matched: RuleNumber[]): void {
    this.#start(event);
    const found = this.#find();
    const lists = this.#lists;
    for (let i = 0; i < found.length; i++) {
      for (let at = lists.first(found[i]!); at >= 0; at = lists.next(at)) {
        if (this.#terms.isTrue(lists.guard(at))) this.#verify(lists.alternative(at), matched);
      }
    }
    for (const alternative of this.#scanned) this.#verify(alternative, matched);
  }

  /** Whether that one matches. */
  matchOne(number: RuleNumber, event: Event): boolean {
    this.#start(event);
    return this.#rules[number]!.some((alternative) => this.#holds(alternative));
  }

  #start(event: Event): void {
    this.#epoch++;
    this.#fields.read(event);
    this.#terms.forget();
    if (this.#fields.spread) this.#places.clear();
  }

  /** The terms that the event's leaves lead to. All are marked before any is followed, so that none is evaluated. */
  #find(): readonly number[] {
    const fields = this.#fields;
    const found = this.#found;
    found.length = 0;
    for (let i = 0; i < fields.presentCount; i++) {
      const field = fields.present[i]!;
      for (let j = 0; j < field.count; j++) field.find(field.leaves[j]!, found);
    }
    for (let i = 0; i < found.length; i++) this.#terms.markTrue(found[i]!);
    return found;
  }

  #verify(alternative: number, matched: RuleNumber[]): void {
    if (!this.#holds(alternative)) return;
    const rule = this.#ruleOf[alternative]!;
    if (this.#matchedAt[rule] === this.#epoch) return;
    this.#matchedAt[rule] = this.#epoch;
    matched.push(rule);
  }

  #holds(alternative: number): boolean {
    const conditions = this.#conditions[alternative]!;
    for (let i = 0; i < conditions.length; i++) if (!this.#terms.isTrue(conditions[i]!)) return false;
    return !this.#fields.spread || conditions.length < 2 || this.#isConsistent(conditions);
  }

  #isConsistent(conditions: readonly number[]): boolean {
    const places = conditions.map((condition) => this.#placesOf(condition));
    return holdTogether(
      places.filter((elements) => elements.length > 0),
      this.#fields,
    );
  }

  /** The elements in which the condition holds; none where it holds by absence, which is the whole event's. */
  #placesOf(condition: number): readonly number[] {
    const known = this.#places.get(condition);
    if (known !== undefined) return known;
    const field = this.#terms.fieldOf(condition);
    const leaves = this.#fields.has(field) ? field.count : 0;
    const places: number[] = [];
    for (let i = 0; i < leaves; i++) {
      if (this.#terms.isTrueOf(condition, field.leaves[i]!)) places.push(field.elements[i]!);
    }
    this.#places.set(condition, places);
    return places;
  }

  #addAlternative(rule: number, alternative: Alternative): number {
    const number = this.#freeAlternatives.pop() ?? this.#ruleOf.length;
    const conditions = alternative.map(({ path, terms }) => this.#terms.acquire(path, terms));
    this.#ruleOf[number] = rule;
    this.#conditions[number] = conditions;
    const rarest = this.#rarest(conditions);
    if (rarest === undefined) this.#scanned.add(number);
    this.#postings[number] =
      rarest === undefined ? [] : this.#post(rarest, number, guardOf(conditions, rarest));
    return number;
  }

  #removeAlternative(number: number): void {
    this.#scanned.delete(number);
    for (const posting of this.#postings[number]!) this.#unpost(posting);
    for (const condition of this.#conditions[number]!) this.#terms.release(condition);
    this.#postings[number] = undefined;
    this.#conditions[number] = undefined;
    this.#freeAlternatives.push(number);
  }

  /** Puts the alternative where the leaves that make the condition true lead to. */
  #post(condition: number, alternative: number, guard: number): readonly number[] {
    const term = this.#terms.term(condition);
    if (term.kind === Kind.anyOf) {
      return [...new Set(membersOf(term))].flatMap((member) => this.#post(member, alternative, guard));
    }
    const key =
      term.kind === Kind.wildcard
        ? this.#terms.acquire(this.#terms.fieldOf(condition).path, [fixedPart(term)!])
        : this.#terms.share(condition);
    if (this.#lists.count(key) === 0) this.#terms.fieldOf(key).post(this.#terms.term(key), key);
    return [this.#lists.add(key, alternative, guard)];
  }

  #unpost(posting: number): void {
    const key = this.#lists.remove(posting);
    if (this.#lists.count(key) === 0) this.#terms.fieldOf(key).unpost(this.#terms.term(key), key);
    this.#terms.release(key);
  }

  /** The condition under which an event is the least likely to find others, as far as the rules tell. */
  #rarest(conditions: readonly number[]): number | undefined {
    let rarest: number | undefined;
    let least = Infinity;
    for (const condition of conditions) {
      const cost = this.#cost(condition);
      if (cost >= least) continue;
      least = cost;
      rarest = condition;
    }
    return rarest;
  }

  /**
   * How many events find it, in a measure of their own: what many rules ask for, many events have. Infinite where no
   * leaf leads to it.
   */
  #cost(condition: number): number {
    const term = this.#terms.term(condition);
    const users = this.#terms.users(condition);
    switch (term.kind) {
      case Kind.exact:
      case Kind.ignoreCase:
        return users;
      case Kind.numeric:
        return users + this.#terms.fieldOf(condition).crowd(term.detail as Interval) + 1;
      case Kind.cidr:
        return 2 * users;
      case Kind.wildcard:
        return fixedPart(term) === undefined ? Infinity : 4 * users;
      case Kind.anythingBut:
      case Kind.exists:
      case Kind.absent:
        return Infinity;
      case Kind.anyOf:
        return membersOf(term).reduce((sum, member) => sum + users + this.#cost(member), 0);
      default:
        // The shorter a prefix or suffix, the more texts have it.
        return (1 + 8 / (1 + (term.key as string).length)) * users;
    }
  }
}

/** Another condition than the one that it stands under; that one, where there is no other. */
function guardOf(conditions: readonly number[], key: number): number {
  return conditions.find((condition) => condition !== key) ?? key;
}

/** The prefix or suffix that every text has which the wildcard matches. */
function fixedPart(term: Term): Term | undefined {
  const { head, tail } = term.detail as Wildcard;
  if (head.length < tail.length) return new Term(Kind.suffix, tail);
  return head === '' ? undefined : new Term(Kind.prefix, head);
}
