/**
 * Verifies a delivery as Standard Webhooks signs it: HMAC-SHA-256 over id, time and body. The MAC is made of the host's
 * SHA-256 (RFC 2104), which is all that the core has of its host's cryptography.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import type { Digest } from '../ports.ts';
import { fromBase64, toBase64 } from '../storage/event-store/base64.ts';

export interface SignedDelivery {
  /** `webhook-id` */
  readonly id: string;
  /** `webhook-timestamp`: whole seconds since the Unix epoch, as it stands there. */
  readonly timestamp: string;
  /** `webhook-signature`: one for each secret that signs now, by spaces. */
  readonly signature: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** SHA-256's. */
const BLOCK_BYTES = 64;
/** Signatures that are looked at: so many secrets sign together, and some more. */
const MOST_SIGNATURES = 8;
const VERSION = 'v1,';
const SECRET_PREFIX = 'whsec_';

/** Whether one of the secrets has made one of the signatures. How long it takes does not tell how much of one was right. */
export async function isSigned(
  { id, timestamp, signature, body }: SignedDelivery,
  secrets: readonly string[],
  digest: Digest,
): Promise<boolean> {
  const given = signature
    .split(' ')
    .filter((one) => one.startsWith(VERSION))
    .slice(0, MOST_SIGNATURES)
    .map((one) => one.slice(VERSION.length));
  const content = joined(new TextEncoder().encode(`${id}.${timestamp}.`), body);
  for (const secret of secrets) {
    // As text: what decodes to it by being lenient is no signature.
    const mac = toBase64(await hmacSha256(digest, secretBytes(secret), content));
    if (given.some((one) => isEqual(one, mac))) return true;
  }
  return false;
}

export async function hmacSha256(
  digest: Digest,
  key: Uint8Array<ArrayBuffer>,
  content: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(key.length > BLOCK_BYTES ? new Uint8Array(await digest(key)) : key);
  const inner = await digest(joined(padded(block, 0x36), content));
  return new Uint8Array(await digest(joined(padded(block, 0x5c), new Uint8Array(inner))));
}

function secretBytes(secret: string): Uint8Array<ArrayBuffer> {
  return fromBase64(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret);
}

function padded(block: Uint8Array<ArrayBuffer>, pad: number): Uint8Array<ArrayBuffer> {
  return block.map((byte) => byte ^ pad);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

function isEqual(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let at = 0; at < other.length; at++) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}
