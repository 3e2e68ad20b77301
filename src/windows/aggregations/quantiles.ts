/**
 * Quantiles within a relative error: DDSketch (Masson, Rim and Lee, 2019), which counts the numbers in buckets that widen
 * with them. Where the buckets become too many, all are joined two by two (Epicoco et al., UDDSketch, 2020): how often
 * depends on the set of the numbers alone, so that no order of events or merges changes a state.
 */
import type { Event } from '../../event/event.ts';
import type { Accumulator, Aggregation, NumberInput } from '../aggregation.ts';
import { byAccumulator } from './accumulators.ts';
import { invalidOption, numberInput, type Field } from './field.ts';
import { between, bucketOf, bucketsPerDoubling, LEAST } from './log-buckets.ts';

export interface QuantilesOptions {
  /** Each from 0 (the least) to 1 (the greatest). Default: 0.5, 0.95 and 0.99. */
  readonly of?: readonly number[] | undefined;
  /** The relative error of a result, from 0.001 to 0.5. Default: 0.01. */
  readonly error?: number | undefined;
  /**
   * The most buckets of a state, from 16 to 65,536. Default: 2,048, which at an error of 0.01 reaches over 58 doublings
   * (1 µs to 9,000 years). More different magnitudes than that double the error, and again, until they fit.
   */
  readonly buckets?: number | undefined;
}

/** By name: `p50`, `p99.9`. Null where there are no numbers. */
export type Quantiles = Readonly<Record<string, number | null>>;

/** How often buckets were joined; numbers too near to 0; buckets with their counts, in turn: positive ones, negative ones. */
export type QuantilesState = readonly [
  joined: number,
  zeros: number,
  positive: readonly number[],
  negative: readonly number[],
];

/**
 * Quantiles of the numbers: for q, what is within `error` of the number that stands at the place ⌊q (n - 1)⌋ of the n
 * numbers in order. Numbers nearer to 0 than 2.3e-308 count as 0.
 *
 * @throws MillraceError `query.invalid` for what is no field, and for options out of bounds.
 */
export function quantiles(
  field: Field,
  { of = [0.5, 0.95, 0.99], error = 0.01, buckets = 2048 }: QuantilesOptions = {},
): Aggregation<QuantilesState, Quantiles> {
  check({ of, error, buckets });
  const input = numberInput(field);
  const shape = { input, of: [...of], buckets, perDoubling: bucketsPerDoubling(error) };
  return byAccumulator<QuantilesState, Quantiles>(
    () => [0, 0, [], []],
    () => new QuantilesAccumulator(shape),
  );
}

function check({ of, error, buckets }: Required<QuantilesOptions>): void {
  const wrong = of?.find((quantile) => !(quantile >= 0 && quantile <= 1));
  if (wrong !== undefined) throw invalidOption('/of', wrong, 'must be from 0 to 1');
  if (!(error! >= 0.001 && error! <= 0.5))
    throw invalidOption('/error', error, 'must be from 0.001 to 0.5');
  if (!Number.isInteger(buckets) || buckets! < 16 || buckets! > 65_536)
    throw invalidOption('/buckets', buckets, 'must be a whole number from 16 to 65536');
}

interface Shape {
  readonly input: NumberInput;
  readonly of: readonly number[];
  readonly buckets: number;
  readonly perDoubling: number;
}

type Buckets = Map<number, number>;

class QuantilesAccumulator implements Accumulator<QuantilesState, Quantiles> {
  readonly #shape: Shape;
  /** Each bucket is 2^joined of the first ones. */
  #joined = 0;
  #zeros = 0;
  #positive: Buckets = new Map();
  #negative: Buckets = new Map();

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  read(event: Event): number {
    return this.#shape.input.read(event);
  }

  fold(value: number): void {
    if (value >= LEAST) this.#count(this.#positive, value);
    else if (value <= -LEAST) this.#count(this.#negative, -value);
    else if (!Number.isNaN(value)) this.#zeros += 1;
  }

  merge(from: QuantilesAccumulator): void {
    while (this.#joined < from.#joined) this.#join();
    const by = this.#joined - from.#joined;
    this.#zeros += from.#zeros;
    for (const [bucket, n] of from.#positive) raise(this.#positive, joinedBucket(bucket, by), n);
    for (const [bucket, n] of from.#negative) raise(this.#negative, joinedBucket(bucket, by), n);
    this.#fit();
  }

  state(): QuantilesState {
    return [this.#joined, this.#zeros, inOrder(this.#positive).flat(), inOrder(this.#negative).flat()];
  }

  load([joined, zeros, positive, negative]: QuantilesState): void {
    this.#joined = joined;
    this.#zeros = zeros;
    this.#positive = fromPairs(positive);
    this.#negative = fromPairs(negative);
  }

  result(): Quantiles {
    const counted = this.#ascending();
    const total = counted.reduce((sum, [, n]) => sum + n, 0);
    return Object.fromEntries(
      this.#shape.of.map((quantile) => [
        `p${Number((quantile * 100).toPrecision(12))}`,
        at(counted, Math.floor(quantile * (total - 1))),
      ]),
    );
  }

  /** What stands for the numbers of each bucket, with how many they are. */
  #ascending(): readonly Counted[] {
    return [
      ...inOrder(this.#negative)
        .map(([bucket, n]): Counted => [-this.#middle(bucket), n])
        .toReversed(),
      ...(this.#zeros > 0 ? [[0, this.#zeros] as const] : []),
      ...inOrder(this.#positive).map(([bucket, n]): Counted => [this.#middle(bucket), n]),
    ];
  }

  #middle(bucket: number): number {
    const width = 2 ** this.#joined / this.#shape.perDoubling;
    return between((bucket - 1) * width, bucket * width);
  }

  #count(buckets: Buckets, magnitude: number): void {
    raise(buckets, joinedBucket(bucketOf(magnitude, this.#shape.perDoubling), this.#joined), 1);
    this.#fit();
  }

  #fit(): void {
    while (this.#positive.size + this.#negative.size > this.#shape.buckets) this.#join();
  }

  #join(): void {
    this.#joined += 1;
    this.#positive = joinedOnce(this.#positive);
    this.#negative = joinedOnce(this.#negative);
  }
}

type Counted = readonly [value: number, n: number];

function at(counted: readonly Counted[], place: number): number | null {
  let left = place;
  for (const [value, n] of counted) {
    if (left < n) return value;
    left -= n;
  }
  return null;
}

function joinedBucket(bucket: number, times: number): number {
  return times === 0 ? bucket : Math.ceil(bucket / 2 ** times);
}

function joinedOnce(buckets: Buckets): Buckets {
  const joined: Buckets = new Map();
  for (const [bucket, n] of buckets) raise(joined, joinedBucket(bucket, 1), n);
  return joined;
}

function raise(buckets: Buckets, bucket: number, by: number): void {
  // Adding 0 makes a -0, which a bucket just below 1 is rounded up to, 0.
  buckets.set(bucket + 0, (buckets.get(bucket) ?? 0) + by);
}

function inOrder(buckets: Buckets): readonly (readonly [bucket: number, n: number])[] {
  return [...buckets].toSorted(([left], [right]) => left - right);
}

function fromPairs(flat: readonly number[]): Buckets {
  const buckets: Buckets = new Map();
  for (let i = 0; i < flat.length; i += 2) buckets.set(flat[i]!, flat[i + 1]!);
  return buckets;
}
