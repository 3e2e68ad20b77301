/**
 * IP addresses and blocks of them (CIDR, RFC 4632 and RFC 4291). An address is its 32-bit words: one for IPv4, four for
 * IPv6. IPv4 inside IPv6 (`::ffff:0:0/96`) is IPv4. Forms that readers disagree on, such as leading zeros, are none.
 */
export type Address = readonly number[];

/** A block's address bits and their count as one value, so that a look-up by address is one per length. */
export type BlockKey = number | string;

export interface Block {
  readonly key: BlockKey;
  readonly length: number;
  readonly words: 1 | 4;
}

const MAX_TEXT = 45;

export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_TEXT) return undefined;
  if (!text.includes(':')) return parseV4(text);
  const words = parseV6(text);
  if (words !== undefined && isMapped(words)) return [words[3]!];
  return words;
}

export function parseBlock(text: string): Block | undefined {
  const [base = '', digits = '', more] = text.split('/');
  if (more !== undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const address = parseAddress(base);
  if (address === undefined) return undefined;
  const length = Number(digits) - (address.length === 1 && base.includes(':') ? 96 : 0);
  if (length < 0 || length > address.length * 32) return undefined;
  return { key: blockKey(address, length), length, words: address.length as 1 | 4 };
}

/** The block of that length which the address is in. */
export function blockKey(address: Address, length: number): BlockKey {
  if (address.length === 1) return length * 2 ** 32 + masked(address[0]!, length);
  const words = address.map((word, i) => masked(word, length - i * 32).toString(16));
  return `${length}/${words.join(':')}`;
}

export function isInBlock(address: Address, block: Block): boolean {
  return address.length === block.words && blockKey(address, block.length) === block.key;
}

function masked(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word : (word & (-1 << (32 - bits))) >>> 0;
}

function parseV4(text: string): Address | undefined {
  let word = 0;
  let part = -1;
  let parts = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 46;
    if (code === 46) {
      if (part < 0 || ++parts > 4) return undefined;
      word = word * 256 + part;
      part = -1;
    } else {
      if (code < 48 || code > 57 || part === 0) return undefined;
      part = (part < 0 ? 0 : part) * 10 + code - 48;
      if (part > 255) return undefined;
    }
  }
  return parts === 4 ? [word] : undefined;
}

function parseV6(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<number>(missing).fill(0), ...tail];
  return [0, 2, 4, 6].map((i) => all[i]! * 65_536 + all[i + 1]!);
}

/** The groups of 16 bits; the last one of the address may be an IPv4 address. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const found: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes('.')) {
      const word = parseV4(part)?.[0];
      if (word === undefined) return undefined;
      found.push(word >>> 16, word & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) found.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return found;
}

function isMapped(words: Address): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}
