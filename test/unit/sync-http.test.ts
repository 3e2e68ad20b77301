import { describe, expect, it } from 'vitest';
import type { Fetch } from '../../src/ports.ts';
import { httpTransport } from '../../src/sync/http-transport.ts';
import { parseRetryAfter } from '../../src/sync/retry-after.ts';
import { Backoff } from '../../src/sync/backoff.ts';
import { decodePush, type Push } from '../../src/sync/protocol.ts';
import { settle, SteppedPorts } from './sync-world.ts';

const push: Push = { producer: 'p', epoch: 1, seq: 1, count: 2, holes: [2], lines: ['{"id":"a"}'] };
const answer = { epoch: 1, seq: 2, duplicates: 0, repeated: false, time: '2026-01-31T09:30:00.000Z' };

function to(respond: Fetch, timeoutMs?: number) {
  const ports = new SteppedPorts();
  const transport = httpTransport({
    endpoint: 'https://edge.example/api/',
    fetch: respond,
    ports,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  return { ports, transport };
}

function replying(status: number, body: unknown, headers: Record<string, string> = {}): Fetch {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return async () => ({
    status,
    headers: { get: (name) => headers[name] ?? null },
    text: async () => text,
  });
}

describe('the HTTP transport', () => {
  it('sends its key with every request, and none where it has none', async () => {
    const sent: (string | undefined)[] = [];
    const noting: Fetch = (url, init) => {
      sent.push(init.headers['authorization']);
      return replying(200, answer)(url, init);
    };
    const options = { endpoint: 'https://edge.example', fetch: noting, ports: new SteppedPorts() };
    await httpTransport({ ...options, key: 'mr_pub' }).push(push);
    await httpTransport({ ...options, key: 'mr_pub' }).head('p');
    await httpTransport(options).push(push);
    expect(sent).toEqual(['Bearer mr_pub', 'Bearer mr_pub', undefined]);
  });

  it('posts a push as NDJSON below the endpoint’s path', async () => {
    const asked: { url: string; method: string; body: string | undefined }[] = [];
    const { transport } = to((url, init) => {
      asked.push({ url, method: init.method, body: init.body });
      return replying(200, answer)(url, init);
    });
    expect(await transport.push(push)).toEqual(answer);
    expect(asked[0]).toMatchObject({ url: 'https://edge.example/api/sync/push', method: 'POST' });
    expect(decodePush(asked[0]!.body!)).toEqual(push);
  });

  it('lets a push outlive its page as far as the platform allows', async () => {
    const lives: boolean[] = [];
    const { transport } = to((url, init) => {
      lives.push(init.keepalive);
      return replying(200, answer)(url, init);
    });
    // Three bytes a character: the most that 64 KiB may be.
    for (const length of [10, 21_000, 22_000])
      await transport.push({ ...push, lines: ['€'.repeat(length)] });
    await transport.pull(undefined, 2).catch(() => {});
    expect(lives).toEqual([true, true, false, false]);
  });

  it('reads a producer’s head, and a page of lines', async () => {
    const urls: string[] = [];
    const body = '{"next":"12","head":"19","more":true}\n{"a":1}\n{"a":2}\n';
    const { transport } = to((url, init) => {
      urls.push(url);
      return replying(200, url.includes('head?') ? { epoch: 3, seq: 7 } : body)(url, init);
    });
    expect(await transport.head('a&b')).toEqual({ epoch: 3, seq: 7 });
    expect(await transport.pull('11', 2)).toEqual({
      next: '12',
      head: '19',
      more: true,
      lines: ['{"a":1}', '{"a":2}'],
    });
    await transport.pull(undefined, 2);
    expect(urls.map((url) => url.replace('https://edge.example/api', ''))).toEqual([
      '/sync/head?producer=a%26b',
      '/sync/pull?after=11&limit=2',
      '/sync/pull?limit=2',
    ]);
  });

  it.each([408, 425, 429, 500, 502, 503, 304])(
    '%i is unreachable, with what the edge asks for',
    async (status) => {
      const { transport } = to(replying(status, 'busy', { 'retry-after': '7' }));
      await expect(transport.push(push)).rejects.toMatchObject({
        code: 'sync.unreachable',
        details: { endpoint: 'https://edge.example/api', status, retryAfterMs: 7000 },
      });
    },
  );

  it.each([
    ['no JSON', '<html>Welcome to the airport’s network</html>'],
    ['another object', { ok: true }],
    ['a negative sequence', { ...answer, seq: -1 }],
    ['null', null],
  ])('200 with %s is unreachable, never a success', async (_, body) => {
    await expect(to(replying(200, body)).transport.push(push)).rejects.toMatchObject({
      code: 'sync.unreachable',
    });
  });

  it('a network that fails is unreachable, with its cause', async () => {
    const { transport } = to(() => Promise.reject(new TypeError('Failed to fetch')));
    const error = await transport.push(push).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'sync.unreachable', cause: new TypeError('Failed to fetch') });
  });

  it('no answer in time is unreachable, and the request is aborted', async () => {
    let signal: AbortSignal | undefined;
    const { transport, ports } = to((_, init) => {
      signal = init.signal;
      return new Promise((_, reject) =>
        init.signal.addEventListener('abort', () => reject(new Error('aborted'))),
      );
    }, 500);
    const outcome = transport.push(push).catch((error: unknown) => error);
    await settle();
    await ports.step();
    expect(await outcome).toMatchObject({ code: 'sync.unreachable' });
    expect(signal!.aborted).toBe(true);
    expect(ports.timers).toBe(0);
  });

  it.each([400, 403, 413, 422])('%i is refused, with the problem’s detail', async (status) => {
    const { transport } = to(
      replying(status, { title: 'Bad', detail: 'the third is bad', code: 'query.invalid' }),
    );
    await expect(transport.push(push)).rejects.toMatchObject({
      code: 'sync.refused',
      details: { status, reason: 'the third is bad' },
    });
  });

  it('refused events are named, wherever the problem keeps its details', async () => {
    const rejected = [{ index: 0, reason: 'no type' }];
    for (const body of [{ rejected }, { details: { rejected } }]) {
      const { transport } = to(replying(422, { code: 'sync.refused', detail: 'x', ...body }));
      await expect(transport.push(push)).rejects.toMatchObject({
        code: 'sync.refused',
        details: { rejected },
      });
    }
  });

  it('a code is the edge’s only in problem details: many a gateway answers JSON with one of its own', async () => {
    const body = { code: 'event.invalid', detail: 'x' };
    const codeOf = async (headers: Record<string, string>) => {
      const error = await to(replying(400, body, headers))
        .transport.push(push)
        .catch((one) => one);
      return (error as { details: { code?: string } }).details.code;
    };
    expect(await codeOf({ 'content-type': 'application/problem+json; charset=utf-8' })).toBe(
      'event.invalid',
    );
    expect(await codeOf({ 'content-type': 'application/json' })).toBeUndefined();
    expect(await codeOf({})).toBeUndefined();
  });

  it.each([
    ['producer.gap', { producer: 'p', expected: 5, received: 9 }],
    ['producer.fenced', { producer: 'p', epoch: 1, current: 2 }],
    ['producer.diverged', { producer: 'p', seq: 4, id: 'e' }],
  ])('%s is known by its code', async (code, details) => {
    const { transport } = to(replying(409, { status: 409, code, detail: 'x', ...details }));
    await expect(transport.push(push)).rejects.toMatchObject({ code, details });
    const without = to(replying(409, { status: 409, code, detail: 'x' }));
    await expect(without.transport.push(push)).rejects.toMatchObject({ code: 'sync.refused' });
  });
});

describe('Retry-After', () => {
  const now = Date.parse('1994-11-06T08:49:00Z');

  it.each([
    ['3', 3000],
    ['0', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
    ['Sun, 06 Nov 1994 08:48:00 GMT', 0],
    ['Sun, 31 Feb 1994 08:49:37 GMT', undefined],
    ['-3', undefined],
    ['soon', undefined],
    [null, undefined],
  ])('%s', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});

describe('backoff', () => {
  it('is uniform below a ceiling that doubles from 250 ms to 30 s, and starts again after a success', () => {
    const highest = new Backoff({ random: () => 0.999_999 });
    const waits = Array.from({ length: 10 }, () => Math.ceil(highest.failed()));
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    highest.reset();
    expect(Math.ceil(highest.failed())).toBe(250);
    expect(new Backoff({ random: () => 0 }).failed()).toBe(0);
  });

  it('is never shorter than the edge asks, up to an hour', () => {
    const backoff = new Backoff({ random: () => 0 });
    expect(backoff.failed(5_000)).toBe(5_000);
    expect(backoff.failed(1e12)).toBe(3_600_000);
  });
});
