/**
 * The breaker of an endpoint (Michael Nygard, "Release It!", 2007): after some failures in a row nothing goes out but
 * one probe now and then, until one succeeds. It is plain data, kept with the subscription, so that no restart closes it.
 */
import { backoffMs } from './backoff.ts';

export interface Breaker {
  /** In a row, up to now. */
  readonly failures: number;
  /** How often a probe has failed since it opened, from 1; 0 where it is closed. */
  readonly opened: number;
  /** When the next probe may go out, in ms since the Unix epoch. */
  readonly probeAt: number;
}

export const CLOSED: Breaker = { failures: 0, opened: 0, probeAt: 0 };

export const breakerLimits = {
  /** Failures in a row that open it. */
  failures: 5,
  /** The first wait for a probe is at most this long; the ceiling doubles from there. */
  firstMs: 1_000,
  maximumMs: 300_000,
} as const;

export interface Failure {
  readonly now: number;
  /** Whether it was the probe: what was under way when the breaker opened says nothing new. */
  readonly probe: boolean;
  readonly random: () => number;
}

export function failed(breaker: Breaker, { now, probe, random }: Failure): Breaker {
  const failures = breaker.failures + 1;
  if (breaker.opened === 0 && failures < breakerLimits.failures) return { ...breaker, failures };
  if (breaker.opened > 0 && !probe) return { ...breaker, failures };
  const wait = backoffMs(breaker.opened, { ...breakerLimits, random });
  return { failures, opened: breaker.opened + 1, probeAt: now + wait };
}

/** How many attempts may be under way together. */
export function allowed(breaker: Breaker, now: number, most: number): number {
  if (breaker.opened === 0) return most;
  return now < breaker.probeAt ? 0 : 1;
}
