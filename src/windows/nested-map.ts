/** Something for each pair of numbers, the second under the first. */

export class NestedMap<Item> {
  readonly #outer = new Map<number, Map<number, Item>>();

  /** Of the first numbers. */
  get size(): number {
    return this.#outer.size;
  }

  get(first: number, second: number): Item | undefined {
    return this.#outer.get(first)?.get(second);
  }

  has(first: number, second: number): boolean {
    return this.#outer.get(first)?.has(second) ?? false;
  }

  set(first: number, second: number, item: Item): void {
    let inner = this.#outer.get(first);
    if (inner === undefined) this.#outer.set(first, (inner = new Map()));
    inner.set(second, item);
  }

  delete(first: number, second: number): void {
    const inner = this.#outer.get(first);
    if (inner?.delete(second) === true && inner.size === 0) this.#outer.delete(first);
  }

  deleteAll(first: number): void {
    this.#outer.delete(first);
  }

  clear(): void {
    this.#outer.clear();
  }

  groups(): IterableIterator<[first: number, items: ReadonlyMap<number, Item>]> {
    return this.#outer.entries();
  }

  *[Symbol.iterator](): Generator<readonly [first: number, second: number, item: Item]> {
    for (const [first, inner] of this.#outer)
      for (const [second, item] of inner) yield [first, second, item];
  }
}
