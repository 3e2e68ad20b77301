/** Things to be looked at when the watermark has come so far, in buckets: a timing wheel without a rim. */

export class Timers<Item> {
  readonly #bucketMs: number;
  readonly #buckets = new Map<number, Item[]>();

  constructor(bucketMs: number) {
    this.#bucketMs = bucketMs;
  }

  set(item: Item, at: number): void {
    const bucket = Math.floor(at / this.#bucketMs);
    const items = this.#buckets.get(bucket);
    if (items === undefined) this.#buckets.set(bucket, [item]);
    else items.push(item);
  }

  /** What was set for that time or before, and it may be a bucket's more: who is early is to be set again. */
  due(watermark: number): Item[] {
    const due: Item[] = [];
    for (const [bucket, items] of this.#buckets) {
      if (bucket * this.#bucketMs > watermark) continue;
      due.push(...items);
      this.#buckets.delete(bucket);
    }
    return due;
  }
}
