/**
 * Exponential backoff with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), as a
 * function of how often it failed: a subscription outlives the objects that wait for it.
 */
export interface BackoffOptions {
  /** The ceiling of the first wait. */
  readonly firstMs: number;
  /** The ceiling never rises above this. */
  readonly maximumMs: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** How long to wait after the failure that `before` others came before: whole ms, at least 1. */
export function backoffMs(before: number, { firstMs, maximumMs, random }: BackoffOptions): number {
  const ceiling = Math.min(maximumMs, firstMs * 2 ** Math.min(before, 40));
  return 1 + Math.floor(random() * ceiling);
}
