/** Where the directory's objects are. */
import type { Env } from '../environment.ts';
import type { DirectoryCalls } from './directory-calls.ts';

/** Keeps all keys: before a key is found, nobody knows whose it is. */
export function keyDirectory(env: Env): DirectoryCalls {
  return env.DIRECTORY.getByName('keys') as unknown as DirectoryCalls;
}

/** Keeps what a tenant has set up. */
export function tenantDirectory(env: Env, tenant: string): DirectoryCalls {
  return env.DIRECTORY.getByName(`tenant/${tenant}`) as unknown as DirectoryCalls;
}

/** Whose directory it is. */
export function tenantOfDirectory({ name = '' }: DurableObjectId): string {
  return name.slice(name.indexOf('/') + 1);
}
