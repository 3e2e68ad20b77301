/**
 * A hash of 53 bits, as many as a whole number holds: two lanes of MurmurHash3 (Appleby, public domain, 32 bits) over
 * UTF-16 code units, each with a seed and constants of its own. Not against an adversary.
 */
export function hash53(text: string, seed: number): number {
  let left = seed;
  let right = seed ^ 0x9e37_79b9;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const a = Math.imul(unit, 0xcc9e_2d51);
    const b = Math.imul(unit, 0x239b_961b);
    left ^= Math.imul((a << 15) | (a >>> 17), 0x1b87_3593);
    right ^= Math.imul((b << 16) | (b >>> 16), 0xab0e_9789);
    left = (Math.imul((left << 13) | (left >>> 19), 5) + 0xe654_6b64) | 0;
    right = (Math.imul((right << 19) | (right >>> 13), 5) + 0x561c_cd1b) | 0;
  }
  left = avalanche(left ^ text.length);
  right = avalanche(right ^ text.length ^ left);
  left = avalanche(left ^ right);
  return (left >>> 11) * 2 ** 32 + (right >>> 0);
}

/** Every bit of the one depends on every bit of the other. */
function avalanche(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85eb_ca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
