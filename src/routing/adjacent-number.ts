/** The neighbours of a number among all doubles: they turn `> 5` into `>= 5.000000000000001`, so that bounds are closed. */
const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

export function nextAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  float[0] = value;
  bits[0]! += value > 0 ? 1n : -1n;
  return float[0];
}

export function nextBelow(value: number): number {
  return -nextAbove(-value);
}
