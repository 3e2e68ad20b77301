/** No callback but those of the public internet: hostile ones by the hundred, in every notation, and what they must not stop. */
import { describe, expect, it } from 'vitest';
import { hostPorts } from '../../src/ports.ts';
import { kindOfAddress } from '../../workers/edge/delivery/address.ts';
import { objectionToCallback, objectionToUrl } from '../../workers/edge/delivery/callback-url.ts';
import { resolveOverHttps } from '../../workers/edge/delivery/resolver.ts';
import { benignUrls, hostileAnswers, hostileUrls } from './delivery-hostile-urls.ts';

const publicly = async () => ['93.184.216.34', '2606:4700::1111'];

describe('callback URLs', () => {
  it('of 500 and more hostile ones, none gets through, whatever its name resolves to', async () => {
    expect(hostileUrls.length).toBeGreaterThan(500);
    const through: string[] = [];
    for (const url of hostileUrls)
      if ((await objectionToCallback(url, publicly)) === undefined) through.push(url);
    expect(through).toEqual([]);
  });

  it('of those, the switch for development lets loopback through, and nothing else', () => {
    const rules = { allowLoopback: true };
    for (const url of hostileUrls.filter((url) => objectionToUrl(url, rules) === undefined)) {
      const { hostname } = new URL(url);
      expect(hostname).toMatch(/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/);
    }
    expect(objectionToUrl('http://127.0.0.1:4000/hook', rules)).toBeUndefined();
    expect(objectionToUrl('http://localhost:4000/hook', rules)).toBeUndefined();
    expect(objectionToUrl('http://shop.example.com/hook', rules)).toBe('must be https');
    expect(objectionToUrl('http://10.0.0.1:4000/hook', rules)).toBeDefined();
    expect(objectionToUrl('ftp://127.0.0.1/hook', rules)).toBeDefined();
  });

  it('takes a hundred good ones', async () => {
    expect(benignUrls.length).toBe(100);
    for (const url of benignUrls)
      expect([url, await objectionToCallback(url, publicly)]).toEqual([url, undefined]);
  });

  it('looks at every address that a name stands for', async () => {
    for (const addresses of hostileAnswers) {
      const objection = await objectionToCallback('https://shop.example.com/', async () => addresses);
      expect([addresses, objection]).toEqual([addresses, expect.stringContaining('is not public')]);
    }
  });

  it('asks no resolver about an address, and trusts no name that nobody resolves', async () => {
    const never = () => Promise.reject(new Error('asked'));
    expect(await objectionToCallback('https://1.1.1.1/', never)).toBeUndefined();
    await expect(objectionToCallback('https://shop.example.com/', never)).rejects.toThrow('asked');
  });

  it('knows what is loopback', () => {
    expect(
      ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '8.8.8.8', 'x'].map(kindOfAddress),
    ).toEqual(['loopback', 'loopback', 'loopback', 'refused', 'public', 'refused']);
  });
});

describe('the resolver', () => {
  const asked: string[] = [];
  const answering = (answers: Readonly<Record<string, unknown>>, status = 200) => {
    asked.length = 0;
    let now = 0;
    const fetch = async (input: unknown) => {
      const url = new URL(String(input));
      asked.push(url.href);
      return Response.json(answers[url.searchParams.get('type')!] ?? { Status: 0 }, { status });
    };
    const resolve = resolveOverHttps({
      endpoint: 'https://dns.example.com/query',
      fetch: fetch as typeof globalThis.fetch,
      ports: { ...hostPorts, now: () => now },
    });
    return { resolve, wait: (ms: number) => (now += ms) };
  };

  it('gives the addresses of both kinds, follows no alias by itself, and asks again after a while', async () => {
    const { resolve, wait } = answering({
      A: {
        Status: 0,
        Answer: [
          { type: 5, data: 'other.example.com.' },
          { type: 1, data: '1.2.3.4' },
        ],
      },
      AAAA: { Status: 0, Answer: [{ type: 28, data: '2606:4700::1' }] },
    });
    expect(await resolve('shop.example.com')).toEqual(['1.2.3.4', '2606:4700::1']);
    wait(29_000);
    await resolve('shop.example.com');
    expect(asked).toEqual([
      'https://dns.example.com/query?name=shop.example.com&type=A',
      'https://dns.example.com/query?name=shop.example.com&type=AAAA',
    ]);
    wait(2_000);
    await resolve('shop.example.com');
    expect(asked).toHaveLength(4);
  });

  it.each([
    ['a name that is none', { A: { Status: 3 } }, 200],
    ['a name without an address', {}, 200],
    [
      'a resolver that fails for one kind',
      { A: { Status: 0, Answer: [{ type: 1, data: '1.2.3.4' }] }, AAAA: { Status: 2 } },
      200,
    ],
    ['a resolver that is down', {}, 503],
  ])('says so of %s', async (_, answers, status) => {
    const { resolve } = answering(answers, status);
    await expect(resolve('shop.example.com')).rejects.toMatchObject({ code: 'callback.unresolved' });
  });
});
