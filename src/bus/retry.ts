/**
 * How often a failed handler is tried again, and when: exponential backoff with full jitter (Marc Brooker, "Exponential
 * Backoff And Jitter", AWS Architecture Blog, 2015).
 */
import type { Ports } from '../ports.ts';
import { checkNumber } from './event-handler.ts';

export interface RetryOptions {
  /** How many times after the first attempt. */
  readonly count: number;
  /** The ceiling of the first wait; it doubles with each. Default: 100. */
  readonly firstMs?: number;
  /** The ceiling never rises above this. Default: 30,000. */
  readonly maximumMs?: number;
}

/** @throws MillraceError `query.invalid` */
export function checkRetry(retry: RetryOptions | undefined): void {
  if (retry === undefined) return;
  checkNumber('retry/count', retry.count, 0, 'whole');
  checkNumber('retry/firstMs', retry.firstMs, 0);
  checkNumber('retry/maximumMs', retry.maximumMs, 0);
}

/** How long to wait after that many attempts, in ms. */
export function retryDelayMs(
  retry: RetryOptions,
  attempts: number,
  ports: Pick<Ports, 'random'>,
): number {
  const { firstMs = 100, maximumMs = 30_000 } = retry;
  return ports.random() * Math.min(maximumMs, firstMs * 2 ** Math.min(attempts - 1, 30));
}
