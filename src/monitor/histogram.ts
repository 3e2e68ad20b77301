/**
 * A histogram of buckets that double: one subtraction and the count of a number's leading zeros find the bucket, and
 * nothing is allocated. A quantile that is read from it is off by a factor of two at most.
 */
import { invalidMetric, type HistogramValue } from './metric.ts';

export interface BucketOptions {
  /** The upper bound of the first bucket, above 0. */
  readonly first: number;
  /** How many buckets there are, each twice as wide as the one before, 1 to 32. What is above all is counted too. */
  readonly count: number;
}

/** From 1 µs to 67 s, for what runs in a process. */
export const callBuckets: BucketOptions = { first: 1e-6, count: 27 };
/** From 1 ms to 65 s, for what goes over a network or to a disk. */
export const requestBuckets: BucketOptions = { first: 1e-3, count: 17 };
/** From 1 to 16,384, for sizes of groups. */
export const sizeBuckets: BucketOptions = { first: 1, count: 15 };

export class Histogram {
  readonly #first: number;
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  /** @throws MillraceError `query.invalid` */
  constructor({ first, count }: BucketOptions) {
    if (!(first > 0 && Number.isFinite(first))) throw invalidMetric('/first', first, 'must be above 0');
    if (!(Number.isInteger(count) && count >= 1 && count <= 32))
      throw invalidMetric('/count', count, 'must be a whole number from 1 to 32');
    this.#first = first;
    this.#bounds = Float64Array.from({ length: count }, (_, i) => first * 2 ** i);
    this.#counts = new Float64Array(count + 1);
  }

  /** What is not a number is not counted; what is below 0, as a clock that was set back gives it, counts as 0. */
  observe(value: number): void {
    if (Number.isNaN(value)) return;
    const counted = Math.max(0, value);
    this.#counts[this.#bucketOf(counted)]!++;
    this.#sum += counted;
  }

  /** What another one of the same buckets has observed. */
  add({ counts, sum }: HistogramValue): void {
    for (const [i, count] of counts.entries()) if (i < this.#counts.length) this.#counts[i]! += count;
    this.#sum += sum;
  }

  read(): HistogramValue {
    return { bounds: [...this.#bounds], counts: [...this.#counts], sum: this.#sum };
  }

  #bucketOf(value: number): number {
    const last = this.#bounds.length;
    const scaled = value / this.#first;
    if (scaled > 2 ** 31) return last;
    // The quotient is rounded, but to no other side of a power of two: a bound is `first` with another exponent, and the
    // next float above it is more than half a unit in the last place further.
    return Math.min(last, scaled <= 1 ? 0 : 32 - Math.clz32(Math.ceil(scaled) - 1));
  }
}

/** The two together, of the same buckets. */
export function addHistograms(a: HistogramValue, b: HistogramValue): HistogramValue {
  const counts = a.counts.map((count, i) => count + (b.counts[i] ?? 0));
  return { bounds: a.bounds, counts, sum: a.sum + b.sum };
}

export function countOf({ counts }: HistogramValue): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The smallest bound that the share of the observations, 0 to 1, is within; `undefined` of none. */
export function quantileOf(histogram: HistogramValue, share: number): number | undefined {
  const count = countOf(histogram);
  if (count === 0) return undefined;
  let reached = 0;
  for (const [i, bucket] of histogram.counts.entries()) {
    reached += bucket;
    if (reached >= share * count) return histogram.bounds[i] ?? Infinity;
  }
  return Infinity;
}
