/** Names that nobody can guess: 128 random bits, in hexadecimal. */
import type { Ports } from '../ports.ts';

export function randomId(ports: Pick<Ports, 'fillRandom'>): string {
  const bytes = new Uint8Array(16);
  ports.fillRandom(bytes);
  return toHex(bytes);
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
