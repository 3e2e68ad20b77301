/**
 * Buckets for positive numbers, each as many to a doubling, so that a bucket's bounds are within a given ratio of each
 * other. The logarithm is a cubic in a double's fraction bits beside its exponent (Masson, Rim and Lee, DDSketch, 2019,
 * and its "cubically interpolated mapping"): a hundredth more buckets than with the true one, faster, and the same on
 * every host, since it takes additions and multiplications alone.
 */

const [A, B, C] = [6 / 35, -3 / 5, 10 / 7];
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);
/** Which half holds sign and exponent: the second where bytes are in little-endian order. */
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;
const EXPONENT_BIAS = 1023;
/** More than a doubling of s needs to stand still: Newton's method doubles the digits each time. */
const NEWTON_STEPS = 6;

/** The least number that has a bucket: lesser ones are without a full fraction. */
export const LEAST = 2 ** -1022;

/** How many buckets to a doubling keep a bucket's middle within the relative error of all in it. */
export function bucketsPerDoubling(error: number): number {
  // The cubic rises by at least 10/7 to one of the natural logarithm.
  return Math.ceil(0.7 / Math.log((1 + error) / (1 - error)));
}

/** The bucket of a number of at least `LEAST`: i holds those from over the bound i - 1 up to the bound i. */
export function bucketOf(value: number, perDoubling: number): number {
  double[0] = value;
  const exponent = (halves[HIGH]! >>> 20) - EXPONENT_BIAS;
  halves[HIGH] = (halves[HIGH]! & 0xf_ffff) | (EXPONENT_BIAS << 20);
  const fraction = double[0] - 1;
  return Math.ceil((exponent + ((A * fraction + B) * fraction + C) * fraction) * perDoubling);
}

/** A number that is relatively as near to the one bound of buckets as to the other, where `doublings` gives their place. */
export function between(lower: number, upper: number): number {
  const least = boundAt(lower);
  const greatest = Math.min(boundAt(upper), Number.MAX_VALUE);
  return Math.min(least * (2 / (1 + least / greatest)), Number.MAX_VALUE);
}

/** Where the logarithm is `doublings`. */
function boundAt(doublings: number): number {
  const exponent = Math.floor(doublings);
  const rest = doublings - exponent;
  let fraction = rest;
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const off = ((A * fraction + B) * fraction + C) * fraction - rest;
    fraction -= off / ((3 * A * fraction + 2 * B) * fraction + C);
  }
  return (1 + fraction) * 2 ** exponent;
}
