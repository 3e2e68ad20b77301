/** How many different hashes a HyperLogLog's registers have seen (Ertl, 2017, algorithm 6: the improved raw estimator). */

/** Of a hash: those that choose the register, and those whose zeros are counted. */
export const HASH_BITS = 53;

/** 1 / (2 ln 2) */
const ALPHA = 0.721_347_520_444_481_7;

/** `registers` are a power of two many. */
export function estimate(registers: Uint8Array): number {
  const size = registers.length;
  const most = HASH_BITS - Math.log2(size);
  const counts = new Float64Array(most + 2);
  for (const register of registers) counts[register]! += 1;
  let sum = size * tau(1 - counts[most + 1]! / size);
  for (let rank = most; rank >= 1; rank--) sum = (sum + counts[rank]!) / 2;
  sum += size * sigma(counts[0]! / size);
  return (ALPHA * size * size) / sum;
}

/** What registers that are empty add: x + Σ x^(2^k) 2^(k-1). */
function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let [power, factor, sum] = [share, 1, share];
  for (let before = Number.NaN; before !== sum;) {
    before = sum;
    power *= power;
    sum += power * factor;
    factor += factor;
  }
  return sum;
}

/** What registers that are full add: (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3. */
function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let [root, factor, sum] = [share, 1, 1 - share];
  for (let before = Number.NaN; before !== sum;) {
    before = sum;
    root = Math.sqrt(root);
    factor /= 2;
    sum -= (1 - root) ** 2 * factor;
  }
  return sum / 3;
}
