/**
 * Signs deliveries as Standard Webhooks has it: HMAC-SHA-256 over id, time and body, one signature for each live secret.
 *
 * A delivery's id is the subscription's and the sequence, joined by `_`. It is signed with everything else, it is the
 * same at every attempt, and sequences have no gap: a receiver that keeps the ids it has seen knows what came twice, and
 * what is missing. (The specification keeps the full stop for itself, as the separator of what is signed.)
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { Webhook } from 'standardwebhooks';
import type { Ports } from '../../../src/ports.ts';

export interface Secret {
  /** `whsec_` and base64. */
  readonly text: string;
  /** In ms since the Unix epoch, of a secret that was replaced: it signs until then. */
  readonly until?: number;
}

export const secretLimits = {
  /** How long a secret that was replaced still signs, beside the new one. */
  overlapMs: 86_400_000,
  /** Secrets that sign together. */
  live: 3,
} as const;

/** The specification asks for 24 to 64. */
const SECRET_BYTES = 32;

export function makeSecret(ports: Pick<Ports, 'fillRandom'>): string {
  const bytes = new Uint8Array(SECRET_BYTES);
  ports.fillRandom(bytes);
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}

/** Those that sign now, the newest first. */
export function liveSecrets(secrets: readonly Secret[], now: number): readonly Secret[] {
  return secrets.filter(({ until }) => until === undefined || until > now);
}

/** The new secret first, and of the others those that still sign, for as long as the overlap lasts. */
export function rotate(secrets: readonly Secret[], text: string, now: number): readonly Secret[] {
  const until = now + secretLimits.overlapMs;
  return [{ text }, ...liveSecrets(secrets, now).map((secret) => ({ until, ...secret }))];
}

export function deliveryId(subscription: string, sequence: number): string {
  return `${subscription}_${sequence}`;
}

/** The three headers of Standard Webhooks. */
export function sign(
  id: string,
  body: string,
  secrets: readonly Secret[],
  now: number,
): Readonly<Record<string, string>> {
  const signatures = liveSecrets(secrets, now).map(({ text }) =>
    new Webhook(text).sign(id, new Date(now), body),
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now / 1000)),
    'webhook-signature': signatures.join(' '),
  };
}
