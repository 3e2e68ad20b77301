/**
 * A list of alternatives for each term, doubly linked through one flat array: adding and removing one take a few writes,
 * and following a list touches one line of the processor's cache for each alternative that its guard turns away.
 */
const NONE = -1;

const TERM = 0;
const ALTERNATIVE = 1;
const GUARD = 2;
const NEXT = 3;
const PREVIOUS = 4;
const WIDTH = 5;

export class PostingLists {
  readonly #first: number[] = [];
  readonly #count: number[] = [];
  /** A posting's number is where its fields begin. */
  #postings = new Int32Array(64 * WIDTH);
  #end = 0;
  readonly #free: number[] = [];

  get size(): number {
    return this.#end / WIDTH - this.#free.length;
  }

  count(term: number): number {
    return this.#count[term] ?? 0;
  }

  /**
   * Gives the posting's number, for `remove`.
   *
   * @param guard Another of the alternative's conditions, to be asked before the alternative is looked at.
   */
  add(term: number, alternative: number, guard: number): number {
    // Without holes, which would make slow arrays of these.
    while (this.#first.length <= term) this.#count[this.#first.push(NONE) - 1] = 0;
    const posting = this.#free.pop() ?? this.#grow();
    const first = this.#first[term]!;
    this.#postings.set([term, alternative, guard, first, NONE], posting);
    if (first !== NONE) this.#postings[first + PREVIOUS] = posting;
    this.#first[term] = posting;
    this.#count[term]!++;
    return posting;
  }

  /** Gives the term that it was under. */
  remove(posting: number): number {
    const postings = this.#postings;
    const term = postings[posting + TERM]!;
    const next = postings[posting + NEXT]!;
    const previous = postings[posting + PREVIOUS]!;
    if (previous === NONE) this.#first[term] = next;
    else postings[previous + NEXT] = next;
    if (next !== NONE) postings[next + PREVIOUS] = previous;
    this.#count[term]!--;
    this.#free.push(posting);
    return term;
  }

  /** The term's first posting, -1 where there is none; `next` goes on from there. */
  first(term: number): number {
    return this.#first[term] ?? NONE;
  }

  next(posting: number): number {
    return this.#postings[posting + NEXT]!;
  }

  guard(posting: number): number {
    return this.#postings[posting + GUARD]!;
  }

  alternative(posting: number): number {
    return this.#postings[posting + ALTERNATIVE]!;
  }

  #grow(): number {
    const posting = this.#end;
    this.#end += WIDTH;
    if (this.#end > this.#postings.length) {
      const larger = new Int32Array(this.#postings.length * 2);
      larger.set(this.#postings);
      this.#postings = larger;
    }
    return posting;
  }
}
