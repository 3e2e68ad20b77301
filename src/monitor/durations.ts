/**
 * How long things took, with quantiles within 1 %: the same buckets as the windows' `quantiles` (DDSketch), counted as they
 * come. The metrics' `Histogram` is for what others scrape and add up: its buckets double.
 */
import { between, bucketOf, bucketsPerDoubling, LEAST } from '../windows/aggregations/log-buckets.ts';

const PER_DOUBLING = bucketsPerDoubling(0.01);

export class Durations {
  total = 0;
  greatest = 0;
  #count = 0;
  /** Too short for the clock. */
  #zeros = 0;
  readonly #buckets = new Map<number, number>();

  /** In ms. */
  add(duration: number): void {
    this.#count++;
    this.total += duration;
    if (duration > this.greatest) this.greatest = duration;
    if (duration < LEAST) this.#zeros++;
    else {
      const bucket = bucketOf(duration, PER_DOUBLING);
      this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    }
  }

  /** The least duration that the share of all, 0 to 1, is within; 0 of none. */
  quantile(share: number): number {
    let left = Math.max(1, Math.ceil(share * this.#count)) - this.#zeros;
    if (left <= 0) return 0;
    for (const [bucket, count] of [...this.#buckets].toSorted(([a], [b]) => a - b)) {
      left -= count;
      if (left > 0) continue;
      return Math.min(this.greatest, between((bucket - 1) / PER_DOUBLING, bucket / PER_DOUBLING));
    }
    return this.greatest;
  }
}
