/** What comes in over HTTP: a handshake to be answered, or a delivery to be believed before it is read. */
import type { Event } from '../event/event.ts';
import { decodeLine, fromWire } from '../event/wire.ts';
import { cloudEventTypes, fromCloudEvent } from '../event/cloud-events.ts';
import type { Digest } from '../ports.ts';
import { isSigned } from './webhook-signature.ts';

/** A delivery that its subscription's secret has signed. */
export interface Delivery {
  readonly subscription: string;
  /** Dense, from 1, in its subscription. */
  readonly sequence: number;
  readonly events: readonly Event[];
  /** Where the body holds no events: the body, and why. */
  readonly unreadable?: { readonly line: string; readonly error: unknown };
}

/** Why a request is not taken. `forged`: no secret of the subscription has signed it. `old`: nor within the last minutes. */
export type RefusalReason = 'malformed' | 'unknown' | 'old' | 'forged' | 'too-large' | 'busy';

/** A request that is not taken, as it is answered. */
export class Refusal extends Error {
  readonly reason: RefusalReason;
  readonly status: number;

  constructor(reason: RefusalReason, status: number, detail: string) {
    super(detail);
    this.reason = reason;
    this.status = status;
  }
}

export interface VerifyOptions {
  /** Of a subscription; `undefined` where it is none of ours. */
  readonly secretsOf: (subscription: string) => readonly string[] | undefined;
  readonly now: number;
  /** How far the signed time may be from now, in either direction. */
  readonly toleranceMs: number;
  readonly digest: Digest;
}

export const requestLimits = {
  /** A delivery's body: the edge's stay below a third of it. */
  bodyBytes: 4_194_304,
} as const;

/** The edge's `webhook-id`: the subscription's id, `_`, and the sequence. */
const WEBHOOK_ID = /^([\w-]{1,128})_([1-9]\d{0,14})$/;

/**
 * The delivery that a request brings.
 *
 * @throws Refusal for what is not to be believed; nothing of it was read then
 */
export async function readDelivery(request: Request, options: VerifyOptions): Promise<Delivery> {
  const { secretsOf, now, toleranceMs, digest } = options;
  const id = headerOf(request, 'webhook-id');
  const timestamp = headerOf(request, 'webhook-timestamp');
  const signature = headerOf(request, 'webhook-signature');
  const [, subscription, digits] = WEBHOOK_ID.exec(id) ?? [];
  if (subscription === undefined || !/^\d{1,12}$/.test(timestamp))
    throw new Refusal('malformed', 400, 'the headers are none of a delivery: webhook-id, -timestamp');
  const secrets = secretsOf(subscription);
  if (secrets === undefined)
    throw new Refusal('unknown', 404, `${subscription} is no subscription of this service`);
  const awayMs = now - Number(timestamp) * 1000;
  if (Math.abs(awayMs) > toleranceMs) {
    const detail = `it was signed ${Math.round(awayMs / 1000)} s ago by this clock, more than ${toleranceMs / 1000} s: check both clocks`;
    throw new Refusal('old', 400, detail);
  }
  const body = await readBody(request);
  if (!(await isSigned({ id, timestamp, signature, body }, secrets, digest)))
    throw new Refusal('forged', 401, 'the signature is not the subscription’s');
  const text = new TextDecoder().decode(body);
  const delivery = { subscription, sequence: Number(digits) };
  try {
    return { ...delivery, events: eventsOf(text, headerOf(request, 'content-type')) };
  } catch (error) {
    return { ...delivery, events: [], unreadable: { line: text, error } };
  }
}

function headerOf(request: Request, name: string): string {
  return request.headers.get(name) ?? '';
}

function eventsOf(text: string, contentType: string): readonly Event[] {
  if (contentType.startsWith(cloudEventTypes.batch))
    return (JSON.parse(text) as unknown[]).map(fromCloudEvent);
  if (contentType.startsWith(cloudEventTypes.structured)) return [fromCloudEvent(JSON.parse(text))];
  if (!text.startsWith('[')) return [decodeLine(text)];
  return (JSON.parse(text) as unknown[]).map((wire) => fromWire(wire));
}

/** All of it, unless it is too much: then the rest is left unread. */
async function readBody(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const reader = request.body?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) break;
    length += value!.length;
    if (length > requestLimits.bodyBytes) {
      await reader?.cancel();
      throw new Refusal('too-large', 413, `the body is beyond ${requestLimits.bodyBytes} bytes`);
    }
    chunks.push(value!);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

export interface HandshakeOptions {
  /** Origins that may deliver; `*` for any. */
  readonly origins: readonly string[];
  /** Requests a minute. Default: any number. */
  readonly ratePerMinute?: number | undefined;
}

/**
 * Consents to deliveries, or does not.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md section 4, "Abuse protection"
 */
export function answerHandshake(
  request: Request,
  { origins, ratePerMinute }: HandshakeOptions,
): Response {
  const origin = headerOf(request, 'webhook-request-origin');
  const known = origins.some((one) => one === '*' || one.toLowerCase() === origin.toLowerCase());
  if (origin === '' || !known)
    return problem(403, 'origin', `${origin || 'a caller without a name'} may not deliver here`);
  return new Response(null, {
    status: 200,
    headers: {
      allow: 'POST, OPTIONS',
      'webhook-allowed-origin': origin,
      'webhook-allowed-rate': ratePerMinute === undefined ? '*' : String(ratePerMinute),
    },
  });
}

/** Problem details (RFC 9457), for whoever looks at the delivery's trail at the edge. */
export function problem(
  status: number,
  code: string,
  detail: string,
  headers: Record<string, string> = {},
): Response {
  const body = JSON.stringify({ type: `urn:millrace:delivery:${code}`, status, detail, code });
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });
}
