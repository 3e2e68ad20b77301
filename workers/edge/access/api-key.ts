/**
 * API keys. A key is 256 random bits, so that its SHA-256 alone can be kept: there is nothing to guess, and what is kept
 * is no key. It is still a secret: live tokens are signed with it, so that who has it could read the live stream.
 */
import { scopes, type Scope } from './access-table.ts';

export interface KeyLimits {
  /** Of one client address, by one isolate: see `rate-limit.ts`. Default: 100. */
  readonly requestsPerSecond?: number | undefined;
  /** Requests at once. Default: 1,000. */
  readonly burst?: number | undefined;
  /** Of one request. Default: 4 MiB, which is the most. */
  readonly bodyBytes?: number | undefined;
  /** Of one request. Default: 10,000, which is the most. */
  readonly events?: number | undefined;
}

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the key, in hexadecimal digits. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  /** Whose logs it opens. */
  readonly tenant: string;
  /** Pages that may use it, as in `https://shop.example`. Default: any. */
  readonly origins?: readonly string[] | undefined;
  readonly limits?: KeyLimits | undefined;
}

/** The tenant of those who name none. */
export const MAIN_TENANT = 'main';
export const TENANT = /^[a-z0-9][a-z0-9-]{0,62}$/;
const KEY = /^mr_[a-z]{3,5}_([a-z0-9]{16})_[A-Za-z0-9_-]{43}$/;

export interface NewKey {
  /** To be shown once, and kept by its owner. */
  readonly key: string;
  readonly id: string;
  readonly hash: string;
}

/** By the most that a key may do. */
const kinds: readonly (readonly [scope: Scope, kind: string])[] = [
  ['admin', 'admin'],
  ['read', 'read'],
  ['publish', 'pub'],
  ['metrics', 'prom'],
];

/** `mr_read_<id>_<secret>`: what it is for, for people; where to look it up; and 256 random bits. */
export async function createKey(granted: readonly Scope[]): Promise<NewKey> {
  const id = Array.from(random(8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const kind = kinds.find(([scope]) => granted.includes(scope))![1];
  const key = `mr_${kind}_${id}_${base64Url(random(32))}`;
  return { key, id, hash: await hashKey(key) };
}

/** The id that a key of ours carries. */
export function idOfKey(key: string): string | undefined {
  return KEY.exec(key)?.[1];
}

export async function hashKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** In a time that does not tell where they differ. */
export function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % (b.length || 1));
  return difference === 0;
}

export function isPublishable({ scopes }: KeyRecord): boolean {
  return scopes.every((scope) => scope === 'publish');
}

export function isScope(value: unknown): value is Scope {
  return scopes.some((scope) => scope === value);
}

export function base64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function random(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
