/**
 * Seals data under a subject's key with the host's WebCrypto, which comes in as a value.
 *
 * AES-256-GCM. The nonce is not random but the start of an HMAC-SHA-256 of the context and the plain text (a synthetic
 * one, as in RFC 5297): the same data of the same event seals to the same text, so that a repeated append is known as
 * one, and two different texts do not meet in a nonce below some 2⁴⁸ of one key. The context is authenticated.
 */

/** What is used of `crypto.subtle`. */
export interface Subtle<Key> {
  importKey(
    format: 'raw',
    bytes: Uint8Array<ArrayBuffer>,
    algorithm: { readonly name: string; readonly hash: string },
    extractable: boolean,
    usages: ('encrypt' | 'decrypt' | 'sign')[],
  ): Promise<Key>;
  encrypt(algorithm: GcmParameters, key: Key, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  decrypt(algorithm: GcmParameters, key: Key, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  sign(algorithm: string, key: Key, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
}

interface GcmParameters {
  readonly name: string;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly additionalData: Uint8Array<ArrayBuffer>;
}

export interface Cipher {
  /** How long a key is, in bytes. */
  readonly keyBytes: number;
  seal(key: Uint8Array<ArrayBuffer>, context: string, text: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Rejects where the key or the context is another, or the bytes are damaged. */
  open(key: Uint8Array<ArrayBuffer>, context: string, sealed: Uint8Array<ArrayBuffer>): Promise<string>;
}

const NONCE_BYTES = 12;
const AES_KEY_BYTES = 32;
const MAC_KEY_BYTES = 32;
const AES = { name: 'AES-GCM', hash: 'SHA-256' } as const;
const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const;

const encoder = new TextEncoder();
/** What `encode` gives is a buffer of its own; not every platform's types say so. */
const encode = (text: string) => encoder.encode(text) as Uint8Array<ArrayBuffer>;
const decoder = new TextDecoder();

/** @example webCryptoCipher(crypto.subtle) */
export function webCryptoCipher<Key>(subtle: Subtle<Key>): Cipher {
  const aes = (key: Uint8Array<ArrayBuffer>, usage: 'encrypt' | 'decrypt') =>
    subtle.importKey('raw', key.slice(0, AES_KEY_BYTES), AES, false, [usage]);
  return {
    keyBytes: AES_KEY_BYTES + MAC_KEY_BYTES,
    async seal(key, context, text) {
      const additionalData = encode(context);
      const plain = encode(text);
      const mac = await subtle.importKey('raw', key.slice(AES_KEY_BYTES), HMAC, false, ['sign']);
      const said = encode(`${context.length}:${context}${text}`);
      const iv = new Uint8Array(await subtle.sign('HMAC', mac, said)).slice(0, NONCE_BYTES);
      const parameters = { name: AES.name, iv, additionalData };
      const cipherText = await subtle.encrypt(parameters, await aes(key, 'encrypt'), plain);
      const sealed = new Uint8Array(NONCE_BYTES + cipherText.byteLength);
      sealed.set(iv);
      sealed.set(new Uint8Array(cipherText), NONCE_BYTES);
      return sealed;
    },
    async open(key, context, sealed) {
      const iv = sealed.slice(0, NONCE_BYTES);
      const parameters = { name: AES.name, iv, additionalData: encode(context) };
      const cipherText = sealed.slice(NONCE_BYTES);
      return decoder.decode(await subtle.decrypt(parameters, await aes(key, 'decrypt'), cipherText));
    },
  };
}
