/** Keys for an edge on this machine, kept beside its state, so that a restart keeps them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Scope } from '../workers/edge/access/access-table.ts';
import { createKey, hashKey } from '../workers/edge/access/api-key.ts';

export interface EdgeKeys {
  readonly admin: string;
  /** May write, and stand in a page. */
  readonly publishable: string;
  readonly read: string;
}

const granted: Readonly<Record<keyof EdgeKeys, readonly Scope[]>> = {
  admin: ['admin'],
  publishable: ['publish'],
  read: ['read'],
};
/** One machine may ask as often as it can. */
const limits = { requestsPerSecond: 1_000_000, burst: 1_000_000 };

/** Those in the folder, which are made where there are none. */
export async function edgeKeys(stateDir: string): Promise<EdgeKeys> {
  const path = join(stateDir, 'keys.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as EdgeKeys;
  const made = Object.entries(granted).map(async ([name, scopes]) => [
    name,
    (await createKey(scopes)).key,
  ]);
  const keys = Object.fromEntries(await Promise.all(made)) as EdgeKeys;
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(path, JSON.stringify(keys, undefined, 2), { mode: 0o600 });
  return keys;
}

/** The keys as the edge's secret MILLRACE_KEYS has them. */
export async function keysSecret(keys: EdgeKeys): Promise<string> {
  const records = Object.entries(granted).map(async ([name, scopes]) => {
    const hash = await hashKey(keys[name as keyof EdgeKeys]);
    return { name: `development-${name}`, hash, scopes, limits };
  });
  return JSON.stringify(await Promise.all(records));
}
