/**
 * Intervals by what they hold: a treap by (low, high, id), each node with the greatest high below it, in flat arrays. Adding,
 * removing and finding take O(log n), and O(log n) more for each one found (Cormen et al., "Introduction to
 * Algorithms", interval trees; Seidel and Aragon, "Randomized Search Trees").
 */
const NONE = -1;

export class IntervalTree {
  readonly #low: number[] = [];
  readonly #high: number[] = [];
  /** The greatest high of the node and all below it. */
  readonly #reach: number[] = [];
  readonly #left: number[] = [];
  readonly #right: number[] = [];
  readonly #id: number[] = [];
  readonly #free: number[] = [];
  #root = NONE;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** No two intervals have one id. */
  add(low: number, high: number, id: number): void {
    const node = this.#free.pop() ?? this.#low.length;
    this.#low[node] = low;
    this.#high[node] = high;
    this.#reach[node] = high;
    this.#left[node] = NONE;
    this.#right[node] = NONE;
    this.#id[node] = id;
    this.#root = this.#insert(this.#root, node);
    this.#size++;
  }

  remove(low: number, high: number, id: number): void {
    this.#root = this.#delete(this.#root, low, high, id);
    this.#size--;
  }

  /** Appends the ids of the intervals that hold the value, `most` of them at most. */
  find(value: number, found: number[], most = Infinity): void {
    this.#find(this.#root, value, found, most);
  }

  #find(node: number, value: number, found: number[], most: number): void {
    while (node !== NONE && this.#reach[node]! >= value && found.length < most) {
      this.#find(this.#left[node]!, value, found, most);
      if (this.#low[node]! > value) return;
      if (this.#high[node]! >= value) found.push(this.#id[node]!);
      node = this.#right[node]!;
    }
  }

  #insert(at: number, node: number): number {
    if (at === NONE) return node;
    if (rank(node) > rank(at)) {
      this.#split(at, node);
      return node;
    }
    if (this.#isBefore(node, at)) this.#left[at] = this.#insert(this.#left[at]!, node);
    else this.#right[at] = this.#insert(this.#right[at]!, node);
    this.#update(at);
    return at;
  }

  /** Hangs what is before the node on its left, the rest on its right. */
  #split(at: number, node: number): void {
    const [left, right] = this.#parts(at, node);
    this.#left[node] = left;
    this.#right[node] = right;
    this.#update(node);
  }

  #parts(at: number, node: number): readonly [left: number, right: number] {
    if (at === NONE) return [NONE, NONE];
    if (this.#isBefore(at, node)) {
      const [left, right] = this.#parts(this.#right[at]!, node);
      this.#right[at] = left;
      this.#update(at);
      return [at, right];
    }
    const [left, right] = this.#parts(this.#left[at]!, node);
    this.#left[at] = right;
    this.#update(at);
    return [left, at];
  }

  #delete(at: number, low: number, high: number, id: number): number {
    if (at === NONE) return NONE;
    // Infinity less itself is NaN, which goes on to the next as 0 does.
    const order = low - this.#low[at]! || high - this.#high[at]! || id - this.#id[at]!;
    if (order < 0) this.#left[at] = this.#delete(this.#left[at]!, low, high, id);
    else if (order > 0) this.#right[at] = this.#delete(this.#right[at]!, low, high, id);
    else {
      this.#free.push(at);
      return this.#merge(this.#left[at]!, this.#right[at]!);
    }
    this.#update(at);
    return at;
  }

  #merge(left: number, right: number): number {
    if (left === NONE) return right;
    if (right === NONE) return left;
    if (rank(left) > rank(right)) {
      this.#right[left] = this.#merge(this.#right[left]!, right);
      this.#update(left);
      return left;
    }
    this.#left[right] = this.#merge(left, this.#left[right]!);
    this.#update(right);
    return right;
  }

  #isBefore(a: number, b: number): boolean {
    const order =
      this.#low[a]! - this.#low[b]! || this.#high[a]! - this.#high[b]! || this.#id[a]! - this.#id[b]!;
    return order < 0;
  }

  #update(node: number): void {
    const left = this.#left[node]!;
    const right = this.#right[node]!;
    let reach = this.#high[node]!;
    if (left !== NONE && this.#reach[left]! > reach) reach = this.#reach[left]!;
    if (right !== NONE && this.#reach[right]! > reach) reach = this.#reach[right]!;
    this.#reach[node] = reach;
  }
}

/** A node's place in the heap: its number, well mixed. The shape depends on no clock and no randomness. */
function rank(node: number): number {
  let mixed = Math.imul(node + 1, 0x9e37_79b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
