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
  /** Of a receiver that has no statuses: it has the delivery. */
  readonly taken?: boolean | undefined;
  /** It can never be delivered as it is: it is not tried again. */
  readonly final?: boolean | undefined;
  readonly latencyMs: number;
}

/**
 * - `delivered`: any 2xx, or taken.
 * - `gone`: 410, the endpoint wants nothing more of the subscription.
 * - `refused`: the endpoint works, and does not take this delivery.
 * - `failed`: it would have failed whatever was delivered.
 */
export type Verdict = 'delivered' | 'gone' | 'refused' | 'failed';

/** Statuses that are about what was sent, and say that the endpoint itself is well. */
const ABOUT_CONTENT: ReadonlySet<number> = new Set([400, 406, 409, 412, 413, 414, 415, 422]);

/** A redirect is a failure: where it leads nobody has consented. */
export function verdictOf({ status, taken, final }: Answer): Verdict {
  if (taken) return 'delivered';
  if (final) return 'refused';
  if (status === undefined) return 'failed';
  if (status >= 200 && status <= 299) return 'delivered';
  if (status === 410) return 'gone';
  return ABOUT_CONTENT.has(status) ? 'refused' : 'failed';
}
