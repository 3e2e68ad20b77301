/**
 * What a name stands for, asked over HTTPS (RFC 8484, in the JSON form that Cloudflare's and Google's resolvers give):
 * a Worker has no other DNS.
 *
 * @see https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/
 */
import { MillraceError } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';

/**
 * All IPv4 and IPv6 addresses of a name, one at least.
 *
 * @throws MillraceError `callback.unresolved` where there is none, or nobody says
 */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export interface ResolverOptions {
  /** Default: Cloudflare's. */
  readonly endpoint?: string | undefined;
  /** How long one question may take. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /** How long an answer is gone by, so that each delivery does not cost two questions. Default: 30,000. */
  readonly keepMs?: number | undefined;
  readonly fetch: typeof fetch;
  readonly ports: Pick<Ports, 'now' | 'after'>;
}

const ENDPOINT = 'https://cloudflare-dns.com/dns-query';
const TIMEOUT_MS = 5_000;
const KEEP_MS = 30_000;
/** Names whose answers are kept; one object asks for its own endpoint alone. */
const MAX_KEPT = 16;

/** Types of resource records that hold an address (RFC 1035, RFC 3596). */
const ADDRESS_TYPES = { A: 1, AAAA: 28 } as const;

interface DnsAnswer {
  readonly Status?: number;
  readonly Answer?: readonly { readonly type?: number; readonly data?: string }[];
}

/** Asks for both kinds of address. What cannot be asked for is not taken for absent. */
export function resolveOverHttps(options: ResolverOptions): Resolve {
  const kept = new Map<string, { readonly addresses: readonly string[]; readonly until: number }>();
  return async (hostname) => {
    const now = options.ports.now();
    const known = kept.get(hostname);
    if (known !== undefined && known.until > now) return known.addresses;
    kept.delete(hostname);
    const types = Object.keys(ADDRESS_TYPES) as (keyof typeof ADDRESS_TYPES)[];
    const addresses = (await Promise.all(types.map((type) => ask(hostname, type, options)))).flat();
    if (addresses.length === 0) throw unresolved(hostname, 'it has no address');
    if (kept.size < MAX_KEPT)
      kept.set(hostname, { addresses, until: now + (options.keepMs ?? KEEP_MS) });
    return addresses;
  };
}

async function ask(
  hostname: string,
  type: keyof typeof ADDRESS_TYPES,
  options: ResolverOptions,
): Promise<readonly string[]> {
  const { endpoint = ENDPOINT } = options;
  const url = `${endpoint}?name=${encodeURIComponent(hostname)}&type=${type}`;
  const answer = await askFor(url, hostname, options);
  // 3 says that there is no such name (RFC 1035, RCODE).
  if (answer.Status !== 0) throw unresolved(hostname, `the resolver answered code ${answer.Status}`);
  return (answer.Answer ?? []).flatMap(({ type: found, data }) =>
    found === ADDRESS_TYPES[type] && data !== undefined ? [data] : [],
  );
}

async function askFor(
  url: string,
  hostname: string,
  { timeoutMs = TIMEOUT_MS, fetch, ports }: ResolverOptions,
): Promise<DnsAnswer> {
  const controller = new AbortController();
  const undo = ports.after(timeoutMs, () => controller.abort());
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/dns-json' },
      signal: controller.signal,
    });
    if (response.ok) return await response.json();
    await response.body?.cancel();
    throw new Error(`the resolver answered ${response.status}`);
  } catch (cause) {
    throw unresolved(hostname, (cause as Error).message, cause);
  } finally {
    undo();
  }
}

function unresolved(hostname: string, reason: string, cause?: unknown) {
  return new MillraceError(
    'callback.unresolved',
    `the name ${hostname} could not be resolved: ${reason}; check the callback's address`,
    { hostname, reason },
    { cause },
  );
}
