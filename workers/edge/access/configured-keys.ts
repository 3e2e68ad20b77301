/**
 * The keys that a deployment starts with, from its secret `MILLRACE_KEYS`: lines of `name:hash:scopes:tenant`, with the
 * scopes joined by `+` and the tenant left out for `main`; or a JSON array of the same fields with `origins` and `limits`.
 */
import * as z from 'zod/mini';
import { MAIN_TENANT, TENANT, type KeyRecord } from './api-key.ts';
import { scopes } from './access-table.ts';

const count = z.optional(z.int().check(z.minimum(1)));

const configuredKey = z.object({
  name: z.string().check(z.minLength(1), z.maxLength(64)),
  hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  scopes: z.array(z.enum(scopes)).check(z.minLength(1)),
  tenant: z._default(z.string().check(z.regex(TENANT)), MAIN_TENANT),
  origins: z.optional(z.array(z.string())),
  limits: z.optional(
    z.object({ requestsPerSecond: count, burst: count, bodyBytes: count, events: count }),
  ),
});

/** Thrown for a secret that is none. It says where, and nothing of what stands there. */
export class ConfigurationError extends Error {}

/** @throws ConfigurationError */
export function readConfiguredKeys(secret: string | undefined): readonly KeyRecord[] {
  const text = secret?.trim() ?? '';
  if (text === '') return [];
  const names = new Set<string>();
  return (text.startsWith('[') ? readJson(text) : text.split(/\s+/).map(readLine)).map(
    (given, index) => {
      const { success, data } = configuredKey.safeParse(given);
      if (!success)
        throw new ConfigurationError(
          `key ${index + 1} of MILLRACE_KEYS is none: it must be name:hash:scopes:tenant, the hash 64 hexadecimal digits`,
        );
      // Two of one name, as of two tenants or while one replaces the other, are still two: each has its own rates and tokens.
      const again = names.has(data.name) ? `:${data.hash.slice(0, 16)}` : '';
      names.add(data.name);
      return { ...data, id: `configured:${data.name}${again}` };
    },
  );
}

function readLine(line: string): unknown {
  const [name, hash, granted, tenant] = line.split(':');
  return { name, hash, scopes: granted?.split('+'), ...(tenant && { tenant }) };
}

function readJson(text: string): readonly unknown[] {
  try {
    const keys: unknown = JSON.parse(text);
    if (Array.isArray(keys)) return keys;
  } catch {
    // Said below, without what the parser quotes.
  }
  throw new ConfigurationError('MILLRACE_KEYS is neither lines nor a JSON array');
}
