/**
 * UUIDv7 (RFC 9562, section 5.7) that never goes back: within one ms, and when the clock is set back, a counter goes
 * on (section 6.2, method 1, 30 bits of counter). Randomness comes from a pool, so that an id costs no system call.
 */
import type { Ports } from '../ports.ts';

/** Gives a new id at each call, greater than all before it. */
export type IdSource = () => string;

/** Few: the first id waits for all of them to be written in hexadecimal. */
const POOL_BYTES = 256;
/** The counter starts in the lower half of its 30 bits, so that at least 2²⁹ ids fit in a ms. */
const COUNTER_START_MASK = 0x1fff_ffff;
const COUNTER_END = 0x4000_0000;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function createIds(ports: Pick<Ports, 'now' | 'fillRandom'>): IdSource {
  const bytes = new Uint8Array(POOL_BYTES);
  /** The pool's digits. */
  let pool = '';
  let used = 0;
  let lastMs = -1;
  let counter = 0;
  /** The first 13 characters, which ids of one ms share. */
  let prefix = '';

  function random(digits: number): string {
    if (used + digits > pool.length) {
      ports.fillRandom(bytes);
      pool = Array.from(bytes, (byte) => HEX[byte]).join('');
      used = 0;
    }
    return pool.slice(used, (used += digits));
  }

  function advance(): void {
    const now = ports.now();
    if (now > lastMs) {
      lastMs = now;
      counter = parseInt(random(8), 16) & COUNTER_START_MASK;
    } else if (++counter < COUNTER_END) return;
    else {
      lastMs++;
      counter = 0;
    }
    const digits = lastMs.toString(16).padStart(12, '0');
    prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-`;
  }

  return () => {
    advance();
    const a = counter >>> 18; // 12 bits: rand_a
    const b = counter & 0x3ffff; // 18 bits: the start of rand_b, after the variant
    return (
      prefix +
      HEX[0x70 | (a >>> 8)]! +
      HEX[a & 0xff]! +
      '-' +
      HEX[0x80 | (b >>> 12)]! +
      HEX[(b >>> 4) & 0xff]! +
      '-' +
      HEX[b & 0xf]![1]! +
      random(11)
    );
  };
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether the id is a UUIDv7 as we write it, so that its text sorts by its time. */
export function isUuidV7(id: string): boolean {
  return id.length === 36 && UUID_V7.test(id);
}

/** The time in a UUIDv7, in ms since the Unix epoch. */
export function timeOfUuidV7(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
