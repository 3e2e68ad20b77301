/** The distinct lengths of a set of texts, so that a text's prefixes or suffixes are looked up at those alone. */
export class Lengths {
  readonly #counts = new Map<number, number>();
  #rising: number[] = [];

  /** Distinct, from the smallest on. */
  get rising(): readonly number[] {
    return this.#rising;
  }

  add(length: number): void {
    const count = this.#counts.get(length) ?? 0;
    this.#counts.set(length, count + 1);
    if (count === 0) this.#rising = [...this.#counts.keys()].toSorted((a, b) => a - b);
  }

  remove(length: number): void {
    const count = this.#counts.get(length)! - 1;
    if (count > 0) {
      this.#counts.set(length, count);
      return;
    }
    this.#counts.delete(length);
    this.#rising = this.#rising.filter((one) => one !== length);
  }
}
