/**
 * Whether a subscription is delivered to, and why not: its states, and what leads from one to another. Pure data and
 * functions; the clock is an argument.
 */
import { backoffMs } from './backoff.ts';
import type { Consent } from './handshake.ts';
import { readFact, writeFact, type SqlDatabase } from './tables.ts';

/**
 * - `pending`: the endpoint has not consented yet; it is asked again and again.
 * - `active`: what matches is delivered.
 * - `paused`: by its owner; nothing is delivered, nothing is lost.
 * - `disabled`: the endpoint wants no more (410), or has not consented in three days.
 */
export type State = 'pending' | 'active' | 'paused' | 'disabled';

export interface Standing {
  readonly state: State;
  /** In ms since the Unix epoch. */
  readonly since: number;
  readonly reason?: string | undefined;
  /** The endpoint at the present URL has consented. */
  readonly consented: boolean;
  /** How often it was asked, since when, and when it is asked next. */
  readonly asked: number;
  readonly askedSince: number;
  readonly askAt: number;
  /** When it was asked last. */
  readonly askedAt?: number | undefined;
  /** Requests that it takes in a minute, as it has said when it consented. Default: any number. */
  readonly ratePerMinute?: number | undefined;
}

export const consentLimits = {
  firstMs: 1_000,
  maximumMs: 3_600_000,
  /** Whoever resumes again and again makes nobody be asked more often. */
  againMs: 10_000,
  /** How long an endpoint is asked: three days. */
  forMs: 259_200_000,
} as const;

export function pending(now: number): Standing {
  return { state: 'pending', since: now, consented: false, asked: 0, askedSince: now, askAt: now };
}

export function pause(standing: Standing, now: number): Standing {
  if (standing.state === 'paused') return standing;
  return { ...standing, state: 'paused', since: now, reason: undefined };
}

/** To where the consent allows: an endpoint that wanted no more is asked anew. */
export function resume(standing: Standing, now: number): Standing {
  if (standing.state === 'active' || standing.state === 'pending') return standing;
  const keeps = standing.state === 'paused' && standing.consented;
  if (keeps) return { ...standing, state: 'active', since: now, reason: undefined };
  const { askedAt } = standing;
  const askAt = askedAt === undefined ? now : Math.max(now, askedAt + consentLimits.againMs);
  return { ...pending(now), askedAt, askAt };
}

/** The callback is at another URL, which has consented to nothing. */
export function moved(standing: Standing, now: number): Standing {
  const asking = pending(now);
  return standing.state === 'paused' ? { ...asking, state: 'paused', since: standing.since } : asking;
}

export function gone(standing: Standing, now: number): Standing {
  const reason = 'the endpoint answered 410 Gone: it wants no more deliveries';
  return { ...standing, state: 'disabled', since: now, reason, consented: false };
}

/** What an answer to the handshake comes to. */
export function answered(
  standing: Standing,
  consent: Consent,
  { now, random }: { readonly now: number; readonly random: () => number },
): Standing {
  if (standing.state !== 'pending') return standing;
  if (consent.given) {
    const { ratePerMinute } = consent;
    const active = { state: 'active', since: now, reason: undefined, consented: true } as const;
    return { ...standing, ...active, askedAt: now, ratePerMinute };
  }
  const asked = standing.asked + 1;
  const over = consent.gone === true || now - standing.askedSince >= consentLimits.forMs;
  const wait = backoffMs(standing.asked, { ...consentLimits, random });
  const asksMs = Math.min(consent.retryAfterMs ?? 0, consentLimits.forMs);
  return {
    ...standing,
    state: over ? 'disabled' : 'pending',
    since: over ? now : standing.since,
    reason: consent.reason,
    asked,
    askedAt: now,
    askAt: now + Math.max(wait, asksMs),
  };
}

/** Of a subscription that exists. */
export function readStanding(database: SqlDatabase): Standing {
  return readFact<Standing>(database, 'standing')!;
}

export function writeStanding(database: SqlDatabase, standing: Standing): void {
  writeFact(database, 'standing', standing);
}
