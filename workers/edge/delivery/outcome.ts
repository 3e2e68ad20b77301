/** What came of one attempt, and what it says about the delivery and about its endpoint. */

/** How an endpoint answered, or why it did not. */
export interface Answer {
  /** The HTTP status, where there was an answer. */
  readonly status?: number | undefined;
  /** Why there was none, or what was wrong with it. */
  readonly error?: string | undefined;
  /** The start of the answer's body, where it was no success. */
  readonly excerpt?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly latencyMs: number;
}

/**
 * - `delivered`: any 2xx.
 * - `gone`: 410, the endpoint wants nothing more of the subscription.
 * - `refused`: the endpoint works, and does not take this delivery.
 * - `failed`: it would have failed whatever was delivered.
 */
export type Verdict = 'delivered' | 'gone' | 'refused' | 'failed';

/** Statuses that are about what was sent, and say that the endpoint itself is well. */
const ABOUT_CONTENT: ReadonlySet<number> = new Set([400, 406, 409, 412, 413, 414, 415, 422]);

/** A redirect is a failure: where it leads nobody has consented. */
export function verdictOf({ status }: Answer): Verdict {
  if (status === undefined) return 'failed';
  if (status >= 200 && status <= 299) return 'delivered';
  if (status === 410) return 'gone';
  return ABOUT_CONTENT.has(status) ? 'refused' : 'failed';
}
