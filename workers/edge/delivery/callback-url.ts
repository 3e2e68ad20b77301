/**
 * Which callback URLs are taken: https to a name or an address of the public internet. It is asked when a subscription
 * is made and again before each contact, so that neither a stored URL nor a name that has moved since gets past it.
 *
 * A URL is judged as the platform's own parser reads it (WHATWG URL), which is also what `fetch` goes by: decimal,
 * octal, hexadecimal, short and full-width notations of an address have become the one usual notation by then.
 *
 * A name is resolved and each of its addresses judged. Between that and the connection the name can change once more
 * (DNS rebinding). What stands behind is the platform: a Worker on Cloudflare has no route to private networks, and
 * workerd connects to public addresses alone unless its configuration says otherwise. Redirects are never followed.
 *
 * @see OWASP, "Server-Side Request Forgery Prevention Cheat Sheet"; RFC 6761 (special names), RFC 6890 (special addresses)
 */
import { kindOfAddress } from './address.ts';
import type { Resolve } from './resolver.ts';

export interface CallbackRules {
  /** For development: http and https to this machine's own loopback addresses, at any port. Default: false. */
  readonly allowLoopback?: boolean | undefined;
}

/** What is objected to, as the rest of a sentence that starts with the URL; nothing where it may be contacted. */
export type Objection = string | undefined;

/** The longest callback URL. */
export const MAX_CALLBACK_LENGTH = 2048;

/** Where https is commonly served. Elsewhere listens what speaks another protocol. */
const PORTS: readonly string[] = ['', '2053', '2083', '2087', '2096', '4443', '8443', '9443'];

/** Names of networks other than the internet: RFC 6761, 6762, 7686, 8375, 9476, and what routers and clouds use. */
const PRIVATE_SUFFIXES: ReadonlySet<string> = new Set([
  ...['localhost', 'localdomain', 'local', 'internal', 'intranet', 'private', 'corp', 'home', 'lan'],
  ...['arpa', 'onion', 'alt', 'test', 'invalid', 'example'],
]);

/** What the parser would take out, or read as something else. */
const UNWRITTEN = /[\s\\\p{Cc}]/u;
/** From the scheme to the path: whatever an `@` in there is meant for, it hides the host from a reader. */
const AUTHORITY = /^[^/?#]*\/*[^/?#]*/;

/** Judges what can be judged without asking anybody. */
export function objectionToUrl(callback: string, rules: CallbackRules = {}): Objection {
  if (callback.length > MAX_CALLBACK_LENGTH)
    return `must be at most ${MAX_CALLBACK_LENGTH} characters long`;
  if (UNWRITTEN.test(callback)) return 'must hold no white space, control character or backslash';
  const url = URL.parse(callback);
  if (url === null) return 'must be a URL such as https://shop.example.com/events';
  if (AUTHORITY.exec(callback)![0].includes('@')) return 'must carry no user name or password';
  if (callback.includes('#')) return 'must have no fragment';
  const web = url.protocol === 'http:' || url.protocol === 'https:';
  if (rules.allowLoopback === true && web && isLoopback(url.hostname)) return undefined;
  if (url.protocol !== 'https:') return 'must be https';
  if (!PORTS.includes(url.port)) return `must be at port 443, or one of ${PORTS.slice(1).join(', ')}`;
  return objectionToHost(url.hostname);
}

/**
 * Judges the URL, and each address that its name stands for now.
 *
 * @throws what `resolve` throws: whether the name is to be trusted is then not known
 */
export async function objectionToCallback(
  callback: string,
  resolve: Resolve,
  rules: CallbackRules = {},
): Promise<Objection> {
  const objection = objectionToUrl(callback, rules);
  if (objection !== undefined) return objection;
  const { hostname } = new URL(callback);
  if (addressIn(hostname) !== undefined || isLoopback(hostname)) return undefined;
  for (const address of await resolve(hostname)) {
    if (kindOfAddress(address) !== 'public') return `must not lead to ${address}, which is not public`;
  }
  return undefined;
}

function objectionToHost(hostname: string): Objection {
  const address = addressIn(hostname);
  if (address !== undefined)
    return kindOfAddress(address) === 'public' ? undefined : `must not be at ${address}, not public`;
  if (hostname.endsWith('.')) return 'must not end its name with a dot';
  const labels = hostname.split('.');
  if (labels.length < 2) return `must not be at ${hostname}: a name of one word is a private network's`;
  if (PRIVATE_SUFFIXES.has(labels.at(-1)!))
    return `must not be at ${hostname}: names in .${labels.at(-1)} are not of the internet`;
  return undefined;
}

/** The parser has written IPv4 as four decimal numbers, and put brackets around IPv6. */
function addressIn(hostname: string): string | undefined {
  if (hostname.startsWith('[')) return hostname.slice(1, -1);
  return /^\d+\.\d+\.\d+\.\d+$/.test(hostname) ? hostname : undefined;
}

function isLoopback(hostname: string): boolean {
  const address = addressIn(hostname);
  return address === undefined ? hostname === 'localhost' : kindOfAddress(address) === 'loopback';
}
