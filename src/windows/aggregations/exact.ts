/**
 * Exact sums of doubles. Every finite double is a whole number of steps of a power of two, so that a sum of any many is
 * a big integer of such steps: it depends on no order, and is rounded once, where it is read. (Kulisch, Computer
 * Arithmetic and Validity, 2008, chapter 8: the long accumulator.)
 */

/** The number mantissa × 2^exponent. */
export interface Exact {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/**
 * An exact number as JSON, one text or number for each: itself where a double holds it, else in hexadecimal, as
 * `-1a3fp-80` (−0x1a3f × 2^−80) with an odd mantissa.
 */
export type ExactState = number | string;

export const ZERO: Exact = { mantissa: 0n, exponent: 0 };

const MIN_EXPONENT = -1074;
const FRACTION_BITS = 52n;
const FRACTION_MASK = (1n << FRACTION_BITS) - 1n;
const SIGNIFICANT_BITS = 53;
const MAX_STEP = 1000;

const double = new Float64Array(1);
const bits = new BigUint64Array(double.buffer);

/** Of a finite double. */
export function exactly(value: number): Exact {
  double[0] = value;
  const biased = Number((bits[0]! >> FRACTION_BITS) & 0x7ffn);
  const fraction = bits[0]! & FRACTION_MASK;
  const magnitude = biased === 0 ? fraction : fraction | (1n << FRACTION_BITS);
  return {
    mantissa: value < 0 ? -magnitude : magnitude,
    exponent: MIN_EXPONENT + Math.max(biased - 1, 0),
  };
}

export function plus(left: Exact, right: Exact): Exact {
  if (left.mantissa === 0n) return right;
  if (right.mantissa === 0n) return left;
  if (left.exponent < right.exponent) return plus(right, left);
  const shifted = left.mantissa << BigInt(left.exponent - right.exponent);
  return { mantissa: shifted + right.mantissa, exponent: right.exponent };
}

export function negated({ mantissa, exponent }: Exact): Exact {
  return { mantissa: -mantissa, exponent };
}

/** The nearest double, of two as near the even one (IEEE 754); an infinity beyond the greatest. */
export function rounded({ mantissa, exponent }: Exact): number {
  const surplus = bitLength(mantissa) - SIGNIFICANT_BITS - 2;
  if (surplus <= 0) return scaled(Number(mantissa), exponent);
  // Two bits more than a double holds, and one that says whether anything stood behind them, decide as all bits would.
  const magnitude = mantissa < 0n ? -mantissa : mantissa;
  const head = magnitude >> BigInt(surplus);
  const behind = head << BigInt(surplus) === magnitude ? 0n : 1n;
  const near = Number((head << 1n) | behind);
  return scaled(mantissa < 0n ? -near : near, exponent + surplus - 1);
}

export function toExactState(exact: Exact): ExactState {
  const { mantissa, exponent } = reduced(exact);
  if (bitLength(mantissa) <= SIGNIFICANT_BITS) {
    const value = rounded({ mantissa, exponent });
    if (Number.isFinite(value)) return value;
  }
  return `${mantissa.toString(16)}p${exponent}`;
}

export function fromExactState(state: ExactState): Exact {
  if (typeof state === 'number') return exactly(state);
  const negative = state.startsWith('-');
  const [digits = '', exponent = ''] = state.slice(negative ? 1 : 0).split('p');
  const magnitude = BigInt(`0x${digits}`);
  return { mantissa: negative ? -magnitude : magnitude, exponent: Number(exponent) };
}

/** The same number with an odd mantissa, or 0. */
function reduced({ mantissa, exponent }: Exact): Exact {
  if (mantissa === 0n) return ZERO;
  const zeros = bitLength(mantissa & -mantissa) - 1;
  return { mantissa: mantissa >> BigInt(zeros), exponent: exponent + zeros };
}

function bitLength(value: bigint): number {
  const hex = (value < 0n ? -value : value).toString(16);
  return hex.length * 4 - (Math.clz32(Number.parseInt(hex[0]!, 16)) - 28);
}

/**
 * value × 2^exponent, in steps that no power of two is too small or too great for. Exact, or an infinity: a sum of
 * doubles has no bits below the least double.
 */
function scaled(value: number, exponent: number): number {
  if (value === 0) return 0;
  let result = value;
  let left = exponent;
  for (; left > MAX_STEP; left -= MAX_STEP) result *= 2 ** MAX_STEP;
  for (; left < -MAX_STEP; left += MAX_STEP) result *= 2 ** -MAX_STEP;
  return result * 2 ** left;
}
