/** A doubly linked list whose links are the values themselves: any of them leaves in constant time. */
export interface Link<Self> {
  before: Self | undefined;
  after: Self | undefined;
}

export class Chain<T extends Link<T>> {
  first: T | undefined;
  #last: T | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** It must be in no chain. */
  push(link: T): void {
    link.before = this.#last;
    link.after = undefined;
    if (this.#last === undefined) this.first = link;
    else this.#last.after = link;
    this.#last = link;
    this.#length++;
  }

  /** It must be in this chain. */
  remove(link: T): void {
    if (link.before === undefined) this.first = link.after;
    else link.before.after = link.after;
    if (link.after === undefined) this.#last = link.before;
    else link.after.before = link.before;
    link.before = undefined;
    link.after = undefined;
    this.#length--;
  }
}
