/**
 * Tokens for readers that cannot send a header (`EventSource`, `WebSocket`): whoever has a key that may read gets one,
 * and puts it into the address, where a key must never stand. It opens the live stream alone, for some minutes, and only
 * while its key is one. Nothing is kept for it: it is signed with its key's hash (HMAC-SHA-256).
 */
import { base64Url, sameText, type KeyRecord } from './api-key.ts';

/** For opening a stream; one that is open stays open. */
export const TOKEN_MS = 600_000;

interface Claims {
  readonly key: string;
  /** In ms since the Unix epoch. */
  readonly until: number;
}

export interface LiveToken {
  readonly token: string;
  readonly expiresAt: number;
}

export async function createLiveToken({ id, hash }: KeyRecord, now: number): Promise<LiveToken> {
  const claims: Claims = { key: id, until: now + TOKEN_MS };
  const body = base64Url(new TextEncoder().encode(JSON.stringify(claims)));
  return { token: `${body}.${await sign(body, hash)}`, expiresAt: claims.until };
}

/** The key that it was made for, if it is a token that holds now. */
export async function readLiveToken(
  token: string,
  now: number,
  find: (id: string) => Promise<KeyRecord | undefined>,
): Promise<KeyRecord | undefined> {
  const [body = '', signature = ''] = token.split('.');
  const claims = readClaims(body);
  if (claims === undefined || !(claims.until > now)) return undefined;
  const record = await find(claims.key);
  if (record === undefined) return undefined;
  return sameText(await sign(body, record.hash), signature) ? record : undefined;
}

async function sign(body: string, hash: string): Promise<string> {
  const bytes = new TextEncoder().encode(`millrace live token ${hash}`);
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(body));
  return base64Url(new Uint8Array(signature));
}

function readClaims(body: string): Claims | undefined {
  try {
    const claims = JSON.parse(atob(body.replaceAll('-', '+').replaceAll('_', '/'))) as Partial<Claims>;
    const { key, until } = claims;
    return typeof key === 'string' && typeof until === 'number' ? { key, until } : undefined;
  } catch {
    return undefined;
  }
}
