/**
 * Token buckets (Turner, "New directions in communications", 1986): how many requests a key may make from one client
 * address. They are in an isolate's memory, so the bound is of each isolate that answers a client, and a new one starts
 * full: it costs no request a way to an object. What all clients together may bring is bounded at the shard's queue.
 */
import type { Ports } from '../../../src/ports.ts';
import type { KeyLimits } from './api-key.ts';

export const defaultRate = { requestsPerSecond: 100, burst: 1000 } as const;
/** Buckets kept; beyond it the one that was longest unused goes, which is the fullest. */
const MOST_BUCKETS = 10_000;

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

export interface Rate {
  readonly allowed: boolean;
  /** Requests that may be made now. */
  readonly remaining: number;
  /** Until the bucket is full again. */
  readonly resetMs: number;
  /** Where none is allowed: until there is one. */
  readonly retryAfterMs: number;
  readonly burst: number;
  readonly requestsPerSecond: number;
}

export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>();
  readonly #ports: Pick<Ports, 'now'>;

  constructor(ports: Pick<Ports, 'now'>) {
    this.#ports = ports;
  }

  take(client: string, limits: KeyLimits = {}): Rate {
    const { requestsPerSecond = defaultRate.requestsPerSecond, burst = defaultRate.burst } = limits;
    const now = this.#ports.now();
    const { tokens, at } = this.#buckets.get(client) ?? { tokens: burst, at: now };
    const filled = Math.min(burst, tokens + (Math.max(0, now - at) / 1000) * requestsPerSecond);
    const allowed = filled >= 1;
    const left = allowed ? filled - 1 : filled;
    // Moved to the end, which is the one used last.
    this.#buckets.delete(client);
    if (this.#buckets.size >= MOST_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(client, { tokens: left, at: now });
    return {
      allowed,
      remaining: Math.floor(left),
      resetMs: ((burst - left) / requestsPerSecond) * 1000,
      retryAfterMs: allowed ? 0 : ((1 - left) / requestsPerSecond) * 1000,
      burst,
      requestsPerSecond,
    };
  }
}

/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), in whole seconds. */
export function rateHeaders({
  burst,
  requestsPerSecond,
  remaining,
  resetMs,
}: Rate): Record<string, string> {
  return {
    'ratelimit-policy': `"key";q=${burst};w=${Math.ceil(burst / requestsPerSecond)}`,
    ratelimit: `"key";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
  };
}
