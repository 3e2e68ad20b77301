/** A key as a part of a storage's key: no two keys share one, and none holds a slash. */

/** A storage's key has room for 512 characters: longer ones end in a hash. */
const MAX_SLOT = 300;
const KEPT = 240;

export function keySlot(key: string): string {
  // NUL and half surrogate pairs no storage takes; slash and percent have a meaning here.
  const slot = key.replace(/[\0%/]|\p{Surrogate}/gu, escaped);
  return slot.length <= MAX_SLOT ? slot : `${slot.slice(0, KEPT).toWellFormed()}%${hashes(key)}`;
}

/** So that text sorts as the numbers do. The latest come first with `-start`. */
export function sortableTime(time: number): string {
  return (time + TIME_BIAS).toString().padStart(TIME_DIGITS, '0');
}

/** The time that stands there in a text. */
export function timeAt(text: string, place: number): number {
  return Number(text.slice(place, place + TIME_DIGITS)) - TIME_BIAS;
}

const TIME_BIAS = 1_000_000_000_000_000;
const TIME_DIGITS = 16;

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** 106 bits of two polynomial hashes, for keys that are longer than any that people give. */
function hashes(text: string): string {
  return [
    [31, 1],
    [131, 7],
  ]
    .map(([factor, seed]) => polynomial(text, BigInt(factor!), BigInt(seed!)).toString(36))
    .join('-');
}

const MODULUS = (1n << 61n) - 1n;

function polynomial(text: string, factor: bigint, seed: bigint): bigint {
  let sum = seed;
  for (let i = 0; i < text.length; i++)
    sum = (sum * factor * 65_599n + BigInt(text.charCodeAt(i)) + 1n) % MODULUS;
  return sum;
}
