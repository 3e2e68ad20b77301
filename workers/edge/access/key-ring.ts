/**
 * Finds who a key is: among the deployment's own, then in the directory. What the directory said is believed for some
 * seconds, so that it is not on the way of every request; so long may a revoked key still be let in.
 */
import type { Env } from '../environment.ts';
import { unwrap } from '../shard-calls.ts';
import { hashKey, idOfKey, sameText, type KeyRecord } from './api-key.ts';
import { readConfiguredKeys } from './configured-keys.ts';
import { keyDirectory } from './directory-of.ts';

/** How long a look-up is believed. */
export const BELIEVED_MS = 5000;
/** Look-ups kept, found or not. */
const MOST_KEPT = 10_000;

interface Believed {
  readonly record: KeyRecord | undefined;
  readonly until: number;
}

/** A key that was found to be one, with its hash. */
interface Hashed {
  readonly key: string;
  readonly hash: string;
}

const believed = new Map<string, Believed>();
/** By the id that stands in the key. To hash it again for each request would take another turn of the event loop. */
const hashed = new Map<string, Hashed>();
const configured = new Map<string, readonly KeyRecord[]>();

/** @throws ConfigurationError */
export function configuredKeys({ MILLRACE_KEYS: secret = '' }: Env): readonly KeyRecord[] {
  let keys = configured.get(secret);
  if (keys === undefined) {
    keys = readConfiguredKeys(secret);
    configured.clear();
    configured.set(secret, keys);
  }
  return keys;
}

/** Is asked before the directory is; throws where it is not to be. */
export type AdmitLookUp = () => void;

/** The key's record, if it is one. Every candidate is compared in constant time. */
export async function findByKey(
  env: Env,
  key: string,
  admit: AdmitLookUp,
): Promise<KeyRecord | undefined> {
  const id = idOfKey(key);
  const known = hashOf(id, key);
  const hash = known ?? (await hashKey(key));
  const found = findConfigured(env, hash) ?? (await findStored(env, { id, hash }, admit));
  if (known === undefined && found !== undefined && id !== undefined) keepHash(id, { key, hash });
  return found;
}

function findConfigured(env: Env, hash: string): KeyRecord | undefined {
  let found: KeyRecord | undefined;
  for (const record of configuredKeys(env)) if (sameText(record.hash, hash)) found = record;
  return found;
}

async function findStored(
  env: Env,
  { id, hash }: { readonly id: string | undefined; readonly hash: string },
  admit: AdmitLookUp,
): Promise<KeyRecord | undefined> {
  const record = id === undefined ? undefined : await lookUp(env, id, admit);
  return record !== undefined && sameText(record.hash, hash) ? record : undefined;
}

/** Found by what is no secret, and then compared in constant time like any hash. */
function hashOf(id: string | undefined, key: string): string | undefined {
  const known = id === undefined ? undefined : hashed.get(id);
  return known !== undefined && sameText(known.key, key) ? known.hash : undefined;
}

/** Of keys that are none, nothing is kept: nobody can drive out those that are. */
function keepHash(id: string, kept: Hashed): void {
  if (hashed.size >= MOST_KEPT) hashed.delete(hashed.keys().next().value!);
  hashed.set(id, kept);
}

/** The record of a key's id, as a token names it. */
export async function findById(
  env: Env,
  id: string,
  admit: AdmitLookUp,
): Promise<KeyRecord | undefined> {
  const own = configuredKeys(env).find((record) => record.id === id);
  if (own !== undefined || !/^[a-z0-9]{16}$/.test(id)) return own;
  return lookUp(env, id, admit);
}

/** What was changed here is seen here at once. */
export function forgetKey(id: string): void {
  believed.delete(id);
}

async function lookUp(env: Env, id: string, admit: AdmitLookUp): Promise<KeyRecord | undefined> {
  const now = Date.now();
  const known = believed.get(id);
  if (known !== undefined && known.until > now) return known.record;
  admit();
  const record = unwrap(await keyDirectory(env).findKey(id));
  believed.delete(id);
  if (believed.size >= MOST_KEPT) believed.delete(believed.keys().next().value!);
  believed.set(id, { record, until: now + BELIEVED_MS });
  return record;
}
