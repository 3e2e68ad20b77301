/** Which deliveries are believed, against the library that the edge signs with. */
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { hostDigest, hostPorts } from '../../src/ports.ts';
import {
  answerHandshake,
  readDelivery,
  requestLimits,
  type RefusalReason,
} from '../../src/service/delivery-request.ts';
import { hmacSha256, isSigned } from '../../src/service/webhook-signature.ts';
import { encodeBody } from '../../workers/edge/delivery/body.ts';
import { makeSecret, rotate, sign, type Secret } from '../../workers/edge/delivery/signature.ts';
import { makeEvent } from '../../src/event/event.ts';
import { encodeLine } from '../../src/event/wire.ts';

const digest = hostDigest!;
const NOW = 1_700_000_000_000;
const secret = makeSecret(hostPorts);
const secrets: readonly Secret[] = [{ text: secret }];
const events = [1, 2].map((number) =>
  makeEvent({
    ...{ id: `e-${number}`, type: 'order.placed', source: 'shop', priority: 2, timestamp: NOW },
    data: { text: 'Grüße 🐢', number },
  }),
);
const lines = events.map(encodeLine);

interface Given {
  readonly id?: string;
  readonly at?: number;
  readonly body?: string;
  readonly signedBody?: string;
  readonly by?: readonly Secret[];
  readonly headers?: Readonly<Record<string, string>>;
}

function requestOf(given: Given = {}): Request {
  const { id = 'sub_a_7', at = NOW, body = lines[0]!, signedBody = body, by = secrets, headers } = given;
  return new Request('http://service.test/', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...sign(id, signedBody, by, at), ...headers },
    body,
  });
}

const known = { sub_a: [secret] } as const;
const read = (request: Request, accepted: Readonly<Record<string, readonly string[]>> = known) =>
  readDelivery(request, { secretsOf: (id) => accepted[id], now: NOW, toleranceMs: 300_000, digest });

async function refusalOf(request: Request): Promise<[RefusalReason, number]> {
  const refusal = await read(request).then(
    () => Promise.reject(new Error('it was taken')),
    (error: { reason: RefusalReason; status: number }) => error,
  );
  return [refusal.reason, refusal.status];
}

describe('a delivery', () => {
  test.each([
    ['json', false],
    ['json', true],
    ['cloudevents', false],
    ['cloudevents', true],
  ] as const)('as %s, batched %s, is read as the edge has written it', async (format, batched) => {
    const { text, contentType } = encodeBody(batched ? lines : lines.slice(0, 1), { format, batched });
    const delivery = await read(requestOf({ body: text, headers: { 'content-type': contentType } }));
    expect(delivery).toMatchObject({ subscription: 'sub_a', sequence: 7 });
    expect(delivery.unreadable).toBeUndefined();
    expect(delivery.events.map(encodeLine)).toEqual(batched ? lines : lines.slice(0, 1));
  });

  test('is believed under the new secret and under the old one, as long as either signs', async () => {
    const both = rotate(secrets, makeSecret(hostPorts), NOW);
    const fresh = { sub_a: [both[0]!.text] };
    expect((await read(requestOf({ by: both }), fresh)).sequence).toBe(7);
    expect((await read(requestOf({ by: both }))).sequence).toBe(7);
    await expect(read(requestOf({ by: [both[0]!] }))).rejects.toMatchObject({ reason: 'forged' });
  });

  test.each<[string, Given, RefusalReason, number]>([
    ['with another secret', { by: [{ text: makeSecret(hostPorts) }] }, 'forged', 401],
    ['with another body', { signedBody: lines[1]! }, 'forged', 401],
    ['with no signature', { headers: { 'webhook-signature': '' } }, 'forged', 401],
    [
      'with a signature of another version',
      { headers: { 'webhook-signature': 'v1a,AAAA' } },
      'forged',
      401,
    ],
    ['with an empty signature', { headers: { 'webhook-signature': 'v1,' } }, 'forged', 401],
    ['of another sequence', { headers: { 'webhook-id': 'sub_a_8' } }, 'forged', 401],
    [
      'signed as of another time',
      { headers: { 'webhook-timestamp': `${NOW / 1000 + 1}` } },
      'forged',
      401,
    ],
    ['that is old', { at: NOW - 301_000 }, 'old', 400],
    ['of the future', { at: NOW + 301_000 }, 'old', 400],
    ['of another subscription', { id: 'sub_b_7' }, 'unknown', 404],
    ['of sequence 0', { id: 'sub_a_0' }, 'malformed', 400],
    ['without a sequence', { id: 'sub_a' }, 'malformed', 400],
    ['without a time', { headers: { 'webhook-timestamp': 'now' } }, 'malformed', 400],
    ['that is too large', { body: ' '.repeat(requestLimits.bodyBytes + 1) }, 'too-large', 413],
  ])('%s is refused', async (_, given, reason, status) => {
    expect(await refusalOf(requestOf(given))).toEqual([reason, status]);
  });

  test.each(['', '{', 'null', '[1]', '{"id":"x"}'])(
    'that holds %j is believed, and unreadable',
    async (body) => {
      const { events, unreadable } = await read(requestOf({ body }));
      expect(events).toEqual([]);
      expect(unreadable).toMatchObject({ line: body });
    },
  );

  test('no altered byte of id, time, body or signature passes', async () => {
    const headers = sign('sub_a_7', lines[0]!, secrets, NOW);
    const parts = {
      id: headers['webhook-id']!,
      timestamp: headers['webhook-timestamp']!,
      signature: headers['webhook-signature']!,
      body: new TextEncoder().encode(lines[0]!),
    };
    expect(await isSigned(parts, [secret], digest)).toBe(true);
    const change = fc.tuple(
      fc.constantFrom('id', 'timestamp', 'signature', 'body'),
      fc.nat(),
      fc.integer({ min: 1, max: 127 }),
    );
    await fc.assert(
      fc.asyncProperty(change, async ([part, at, by]) => {
        const bytes =
          part === 'body' ? parts.body.slice() : new TextEncoder().encode(parts[part as 'id']);
        // Of the signature, all but its version.
        const from = part === 'signature' ? 3 : 0;
        const length = bytes.length - from;
        bytes[from + (at % length)]! ^= by;
        const altered = { ...parts, [part]: part === 'body' ? bytes : new TextDecoder().decode(bytes) };
        expect(await isSigned(altered, [secret], digest)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('the MAC is the host’s own', async () => {
    const bytes = (maxLength: number) => fc.uint8Array({ minLength: 1, maxLength });
    await fc.assert(
      fc.asyncProperty(bytes(200), bytes(500), async (key, content) => {
        const algorithm = { name: 'HMAC', hash: 'SHA-256' };
        const imported = await crypto.subtle.importKey('raw', key.slice(), algorithm, false, ['sign']);
        const wanted = await crypto.subtle.sign('HMAC', imported, content.slice());
        const made = await hmacSha256(digest, key.slice(), content.slice());
        expect(Buffer.from(made).equals(Buffer.from(wanted))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test('what the library signs for any text is believed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const body = new TextDecoder().decode(new TextEncoder().encode(text));
        const signature = new Webhook(secret).sign('sub_a_1', new Date(NOW), body);
        const parts = { id: 'sub_a_1', timestamp: String(NOW / 1000), signature };
        const bytes = new TextEncoder().encode(body);
        expect(await isSigned({ ...parts, body: bytes }, [secret], digest)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a handshake', () => {
  const ask = (origin: string | undefined, origins: readonly string[]) =>
    answerHandshake(
      new Request('http://service.test/', {
        method: 'OPTIONS',
        headers: origin === undefined ? {} : { 'webhook-request-origin': origin },
      }),
      { origins },
    );

  test('is consented to for the edge’s own host, in any case of letters, and for anybody where that is said', () => {
    const answer = ask('Edge.test', ['edge.test']);
    expect([answer.status, answer.headers.get('webhook-allowed-origin')]).toEqual([200, 'Edge.test']);
    expect(ask('other.test', ['*']).status).toBe(200);
  });

  test('is refused to others, and to who has no name', () => {
    for (const origin of ['other.test', '', undefined]) {
      const answer = ask(origin, ['edge.test']);
      expect([answer.status, answer.headers.get('webhook-allowed-origin')]).toEqual([403, null]);
    }
    expect(ask('', ['*']).status).toBe(403);
  });
});
