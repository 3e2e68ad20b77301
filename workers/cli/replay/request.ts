/** One request to an edge, made again until it is answered. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface RequestOptions {
  /** An API key of the edge. */
  readonly key?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told before each wait for an edge that is out of reach. */
  readonly onRetry?: ((reason: string, delayMs: number) => void) | undefined;
  /** Attempts at one request. Default: 10, which takes about two minutes. */
  readonly attempts?: number | undefined;
  /** The longest first wait; twice as long each time, up to 30 s. Default: 250. */
  readonly backoffMs?: number | undefined;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
}

/** What the same command would meet again: something else has to change first. */
export class LastingError extends Error {}

const MAX_BACKOFF_MS = 30_000;
const later = new Set([408, 425, 429]);

/** @throws Error where the edge is out of reach for all attempts, LastingError where its address can never be reached. */
export async function request(
  address: URL,
  init: { readonly method: 'GET' | 'POST'; readonly body?: string },
  options: RequestOptions,
): Promise<Answered> {
  const { key, signal, attempts = 10 } = options;
  for (let attempt = 1; ; attempt++) {
    const answer = await tryOnce(address, { ...init, key }, signal);
    if ('status' in answer) return answer;
    const { reason, retryAfterMs } = answer;
    if (attempt >= attempts) throw new Error(`${address.origin} is out of reach: ${reason}.`);
    const delayMs = retryAfterMs ?? backoff(attempt, options.backoffMs ?? 250);
    options.onRetry?.(reason, delayMs);
    await sleep(delayMs, undefined, { signal });
  }
}

/** Why it is to be tried again. */
interface Unanswered {
  readonly reason: string;
  readonly retryAfterMs?: number | undefined;
}

async function tryOnce(
  address: URL,
  {
    method,
    body,
    key,
  }: { readonly method: string; readonly body?: string; readonly key: string | undefined },
  signal?: AbortSignal,
): Promise<Answered | Unanswered> {
  try {
    const headers: Record<string, string> = {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const init = { method, headers, body: body ?? null, signal: signal ?? null };
    const response = await fetch(address, init);
    const text = await response.text();
    const { status } = response;
    if (status < 500 && !later.has(status)) return { status, text };
    const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
    return { reason: `it answers ${status}`, retryAfterMs };
  } catch (error) {
    signal?.throwIfAborted();
    const { cause, message } = error as Error;
    const reason = cause instanceof Error ? cause.message || cause.name : message;
    if (reason === 'bad port') throw badPort(address);
    return { reason };
  }
}

/** Ports of other protocols, to which no HTTP is ever sent (Fetch standard, "port blocking"). */
function badPort({ port }: URL): LastingError {
  return new LastingError(
    `Port ${port} belongs to another protocol and is never asked over HTTP: check --url.`,
  );
}

/** Full jitter (Brooker, Exponential Backoff and Jitter, 2015). */
function backoff(attempt: number, firstMs: number): number {
  return Math.random() * Math.min(MAX_BACKOFF_MS, firstMs * 2 ** attempt);
}

function readRetryAfter(value: string | null): number | undefined {
  const seconds = value === null || value.trim() === '' ? Number.NaN : Number(value);
  return seconds >= 0 ? Math.min(seconds * 1000, MAX_BACKOFF_MS) : undefined;
}
