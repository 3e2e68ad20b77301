/**
 * Asks an endpoint whether it wants to be delivered to, before anything is: nobody is made a target by somebody else's
 * subscription. The endpoint consents by naming the origin that asks, or `*`.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md section 4, "Abuse protection"
 */
import { contact, type ContactOptions } from './contact.ts';

export interface Consent {
  readonly given: boolean;
  /** Why not. */
  readonly reason?: string;
  /** The endpoint has said 410: it is not to be asked again. */
  readonly gone?: boolean;
  readonly retryAfterMs?: number | undefined;
  /** `WebHook-Allowed-Rate`: requests a minute. Left out: any number. */
  readonly ratePerMinute?: number | undefined;
}

export interface HandshakeOptions extends ContactOptions {
  readonly timeoutMs: number;
}

export async function askForConsent(
  url: string,
  origin: string,
  options: HandshakeOptions,
): Promise<Consent> {
  const headers = { 'webhook-request-origin': origin };
  const { timeoutMs } = options;
  const { retryAfterMs, ...answer } = await contact(
    { url, method: 'OPTIONS', headers, timeoutMs },
    options,
  );
  const refused = (reason: string) => ({
    given: false,
    reason,
    retryAfterMs,
    gone: answer.status === 410,
  });
  if (answer.status === undefined) return refused(answer.error ?? 'no answer');
  if (answer.status < 200 || answer.status > 299)
    return refused(`the endpoint answered OPTIONS with ${answer.status}`);
  const allowed = answer.headers?.get('webhook-allowed-origin')?.trim();
  if (allowed === '*' || allowed?.toLowerCase() === origin.toLowerCase()) {
    const ratePerMinute = readRate(answer.headers?.get('webhook-allowed-rate'));
    return ratePerMinute === 0
      ? refused('the endpoint allows no request: WebHook-Allowed-Rate is 0')
      : { given: true, ratePerMinute };
  }
  return refused(
    allowed === undefined
      ? `the endpoint answered OPTIONS without WebHook-Allowed-Origin: it must name ${origin} or *`
      : `the endpoint allows another origin than ${origin}`,
  );
}

/** A whole number of requests a minute, or `*` for any. What is neither limits nothing. */
function readRate(header: string | null | undefined): number | undefined {
  const text = header?.trim() ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
