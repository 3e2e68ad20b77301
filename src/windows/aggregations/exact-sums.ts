/**
 * Rows of exact sums at nearly the price of inexact ones.
 *
 * A number is split at fixed places into a whole part, steps of 2^-32 and steps of 2^-80, and each part is added to a
 * double of its own, which holds it exactly as long as it stays small: carries see to that. A split is one addition and
 * one subtraction of a number so large that the last bit of the sum is the step. (Demmel and Nguyen, Fast Reproducible
 * Floating-Point Summation, 2013.) Whole numbers, the usual case, never leave the first double. What does not fit is
 * added to a big integer beside the row: numbers beyond 2^50, and those with bits below 2^-80.
 */
import { grown } from './cells.ts';
import {
  exactly,
  negated,
  plus,
  rounded,
  toExactState,
  ZERO,
  type Exact,
  type ExactState,
} from './exact.ts';

/** Adding and subtracting these rounds to whole numbers, to steps of 2^-32 and of 2^-80. */
const TO_WHOLE = 1.5 * 2 ** 52;
const TO_MIDDLE = 1.5 * 2 ** 20;
const TO_LOW = 1.5 * 2 ** -28;
/** So small that neither a sum of two such, nor a split of what makes such, leaves what a double holds exactly. */
const MAX_WHOLE = 2 ** 50;
const MAX_MIDDLE = 2 ** 18;
const MAX_LOW = 2 ** -29;
const LOW_EXPONENT = -80;
const MIDDLE_EXPONENT = -32;

export class ExactSums {
  #whole = new Float64Array(0);
  #middle = new Float64Array(0);
  #low = new Float64Array(0);
  /** What does not fit, by row. */
  readonly #wide = new Map<number, Exact>();

  grow(rows: number): void {
    this.#whole = grown(this.#whole, rows, 0);
    this.#middle = grown(this.#middle, rows, 0);
    this.#low = grown(this.#low, rows, 0);
  }

  /** Adds number i to row `rows[i]`, but for NaN. No number is infinite. */
  addAll(rows: Int32Array, values: Float64Array, length: number): void {
    if (areSmallWhole(values, length)) this.#addWhole(rows, values, length);
    else this.#addSplit(rows, values, length);
  }

  add(row: number, value: number): void {
    const whole = value + TO_WHOLE - TO_WHOLE;
    const sum = this.#whole[row]! + whole;
    if (!(sum <= MAX_WHOLE && sum >= -MAX_WHOLE)) return this.#addWide(row, exactly(value));
    const rest = value - whole;
    const middle = rest + TO_MIDDLE - TO_MIDDLE;
    const low = rest - middle;
    if (low + TO_LOW - TO_LOW !== low) return this.#addWide(row, exactly(value));
    this.#whole[row] = sum;
    this.#addFraction(row, middle, low);
  }

  /** Adds another row, or with the sign -1 takes it away. */
  addRow(into: number, from: ExactSums, row: number, sign: 1 | -1): void {
    const wide = from.#wide.get(row);
    const whole = from.#whole[row]! * sign;
    const [middle, low] = [from.#middle[row]! * sign, from.#low[row]! * sign];
    this.add(into, whole);
    this.#addFraction(into, middle, low);
    if (wide !== undefined) this.#addWide(into, sign === 1 ? wide : negated(wide));
  }

  clear(row: number): void {
    this.#whole[row] = 0;
    this.#middle[row] = 0;
    this.#low[row] = 0;
    if (this.#wide.size > 0) this.#wide.delete(row);
  }

  /** The nearest double. */
  sum(row: number): number {
    return this.#isWhole(row) ? this.#whole[row]! : rounded(this.#exact(row));
  }

  state(row: number): ExactState {
    return this.#isWhole(row) ? this.#whole[row]! : toExactState(this.#exact(row));
  }

  load(row: number, sum: Exact): void {
    this.clear(row);
    const surplus = sum.exponent - LOW_EXPONENT;
    if (surplus < 0) return this.#addWide(row, sum);
    const steps = sum.mantissa << BigInt(surplus);
    const whole = steps >> BigInt(-LOW_EXPONENT);
    if (whole >= MAX_WHOLE || whole < -MAX_WHOLE) return this.#addWide(row, sum);
    const fraction = BigInt.asUintN(-LOW_EXPONENT, steps);
    const lowBits = MIDDLE_EXPONENT - LOW_EXPONENT;
    this.#whole[row] = Number(whole);
    this.#middle[row] = Number(fraction >> BigInt(lowBits)) * 2 ** MIDDLE_EXPONENT;
    this.#low[row] = Number(BigInt.asUintN(lowBits, fraction)) * 2 ** LOW_EXPONENT;
  }

  /** Numbers that together change no row by more than `MAX_WHOLE`: one addition each, and bounds looked at afterwards. */
  #addWhole(rows: Int32Array, values: Float64Array, length: number): void {
    const wholes = this.#whole;
    let beyond = false;
    for (let i = 0; i < length; i++) {
      const row = rows[i]!;
      const sum = wholes[row]! + values[i]!;
      wholes[row] = sum;
      if (sum > MAX_WHOLE) beyond = true;
      else if (sum < -MAX_WHOLE) beyond = true;
    }
    for (let i = 0; beyond && i < length; i++)
      if (Math.abs(wholes[rows[i]!]!) > MAX_WHOLE) this.#addWide(rows[i]!, ZERO);
  }

  /** As `add`, written out for the numbers that fit and need no carry. */
  #addSplit(rows: Int32Array, values: Float64Array, length: number): void {
    const wholes = this.#whole;
    const middles = this.#middle;
    const lows = this.#low;
    for (let i = 0; i < length; i++) {
      const value = values[i]!;
      const row = rows[i]!;
      const whole = value + TO_WHOLE - TO_WHOLE;
      const middle = value - whole + TO_MIDDLE - TO_MIDDLE;
      const low = value - whole - middle;
      const wholeSum = wholes[row]! + whole;
      const middleSum = middles[row]! + middle;
      const lowSum = lows[row]! + low;
      if (
        Math.abs(wholeSum) <= MAX_WHOLE &&
        Math.abs(middleSum) <= MAX_MIDDLE &&
        Math.abs(lowSum) <= MAX_LOW &&
        low + TO_LOW - TO_LOW === low
      ) {
        wholes[row] = wholeSum;
        middles[row] = middleSum;
        lows[row] = lowSum;
      } else if (value === value) this.add(row, value);
    }
  }

  #isWhole(row: number): boolean {
    return this.#middle[row] === 0 && this.#low[row] === 0 && !this.#wide.has(row);
  }

  #exact(row: number): Exact {
    const steps =
      (BigInt(this.#whole[row]!) << BigInt(-LOW_EXPONENT)) +
      BigInt(this.#middle[row]! * 2 ** -LOW_EXPONENT) +
      BigInt(this.#low[row]! * 2 ** -LOW_EXPONENT);
    const near = { mantissa: steps, exponent: LOW_EXPONENT };
    const wide = this.#wide.get(row);
    return wide === undefined ? near : plus(wide, near);
  }

  #addFraction(row: number, addedMiddle: number, addedLow: number): void {
    let middle = this.#middle[row]! + addedMiddle;
    let low = this.#low[row]! + addedLow;
    if (low > MAX_LOW || low < -MAX_LOW) {
      const carry = low + TO_MIDDLE - TO_MIDDLE;
      middle += carry;
      low -= carry;
    }
    if (middle > MAX_MIDDLE || middle < -MAX_MIDDLE) {
      const carry = middle + TO_WHOLE - TO_WHOLE;
      middle -= carry;
      this.add(row, carry);
    }
    this.#middle[row] = middle;
    this.#low[row] = low;
  }

  /** What was in the first double goes along, so that it has room again. */
  #addWide(row: number, value: Exact): void {
    const sum = plus(plus(this.#wide.get(row) ?? ZERO, value), exactly(this.#whole[row]!));
    this.#whole[row] = 0;
    if (sum.mantissa === 0n) this.#wide.delete(row);
    else this.#wide.set(row, sum);
  }
}

/** Whether all are whole numbers, none is missing, and no sum of some is beyond `MAX_WHOLE`. */
function areSmallWhole(values: Float64Array, length: number): boolean {
  let total = 0;
  // Pairs, for each addition to the total waits for the one before it.
  for (let i = 1; i < length; i += 2) {
    const value = values[i - 1]!;
    const other = values[i]!;
    if (value + TO_WHOLE - TO_WHOLE !== value || other + TO_WHOLE - TO_WHOLE !== other) return false;
    total += Math.abs(value) + Math.abs(other);
  }
  const last = length % 2 === 1 ? values[length - 1]! : 0;
  return last + TO_WHOLE - TO_WHOLE === last && total + Math.abs(last) <= MAX_WHOLE;
}
