import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKey, hashKey, idOfKey, sameText } from '../../workers/edge/access/api-key.ts';
import { clientOf } from '../../workers/edge/access/client-address.ts';
import { readConfiguredKeys } from '../../workers/edge/access/configured-keys.ts';
import { RateLimiter, rateHeaders } from '../../workers/edge/access/rate-limit.ts';

describe('a rate limiter', () => {
  it('allows what a bucket of tokens does, at any times', () => {
    const times = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 });
    const limits = fc.record({
      requestsPerSecond: fc.integer({ min: 1, max: 20 }),
      burst: fc.integer({ min: 1, max: 10 }),
    });
    fc.assert(
      fc.property(times, limits, (gaps, { requestsPerSecond, burst }) => {
        let now = 0;
        const limiter = new RateLimiter({ now: () => now });
        // The oracle counts in tokens of a thousandth, so that nothing is rounded.
        let tokens = burst * 1000;
        for (const gap of gaps) {
          now += gap;
          tokens = Math.min(burst * 1000, tokens + gap * requestsPerSecond);
          const expected = tokens >= 1000;
          const { allowed, remaining, retryAfterMs } = limiter.take('client', {
            requestsPerSecond,
            burst,
          });
          if (Math.abs(tokens - 1000) < 1) return; // at the edge, where fractions decide
          expect(allowed).toBe(expected);
          if (expected) tokens -= 1000;
          expect(Math.abs(remaining - tokens / 1000)).toBeLessThan(1.001);
          expect(retryAfterMs).toBeCloseTo(expected ? 0 : (1000 - tokens) / requestsPerSecond, 3);
        }
      }),
    );
  });

  it('keeps clients apart, and forgets those that were longest away', () => {
    const limiter = new RateLimiter({ now: () => 0 });
    const limits = { requestsPerSecond: 1, burst: 1 };
    expect([limiter.take('a', limits).allowed, limiter.take('a', limits).allowed]).toEqual([
      true,
      false,
    ]);
    expect(limiter.take('b', limits).allowed).toBe(true);
    for (let i = 0; i < 10_000; i++) limiter.take(`other-${i}`, limits);
    expect(limiter.take('a', limits).allowed).toBe(true);
  });

  it('says its state in whole seconds', () => {
    const limiter = new RateLimiter({ now: () => 0 });
    expect(rateHeaders(limiter.take('a', { requestsPerSecond: 3, burst: 10 }))).toEqual({
      'ratelimit-policy': '"key";q=10;w=4',
      ratelimit: '"key";r=9;t=1',
    });
  });
});

describe('a key', () => {
  it('carries its id and 256 random bits, of which the hash alone is kept', async () => {
    const { key, id, hash } = await createKey(['read']);
    expect(idOfKey(key)).toBe(id);
    expect(key).not.toContain(hash);
    expect(await hashKey(key)).toBe(hash);
    expect((await createKey(['read'])).key).not.toBe(key);
    expect(idOfKey('mr_read_x_y')).toBeUndefined();
  });

  it('is compared to its end', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(sameText(a, b)).toBe(a === b);
        expect(sameText(a, a)).toBe(true);
      }),
    );
  });
});

describe('the keys of a deployment', () => {
  const hash = 'a'.repeat(64);

  it('are lines, or JSON', () => {
    const lines = `admin:${hash}:admin\n  site:${hash}:publish+read:shop-1 `;
    expect(readConfiguredKeys(lines)).toEqual([
      { id: 'configured:admin', name: 'admin', hash, scopes: ['admin'], tenant: 'main' },
      { id: 'configured:site', name: 'site', hash, scopes: ['publish', 'read'], tenant: 'shop-1' },
    ]);
    const json = [
      { name: 'n', hash, scopes: ['read'], origins: ['https://a.example'], limits: { burst: 5 } },
    ];
    expect(readConfiguredKeys(JSON.stringify(json))).toMatchObject([{ ...json[0], tenant: 'main' }]);
    expect(readConfiguredKeys(undefined)).toEqual([]);
  });

  it('of one name are two', () => {
    const other = 'b'.repeat(64);
    const ids = readConfiguredKeys(`n:${hash}:read:a n:${other}:read:b`).map(({ id }) => id);
    expect(ids).toEqual(['configured:n', `configured:n:${other.slice(0, 16)}`]);
  });

  it.each([
    'admin',
    `admin:${hash}`,
    `admin:${hash}:root`,
    `admin:${hash.slice(1)}:admin`,
    `admin:${hash}:admin:No`,
    '[1]',
    '[',
    '{}',
  ])('that cannot be read are refused, and not quoted: %s', (secret) => {
    expect(() => readConfiguredKeys(secret)).toThrow(/MILLRACE_KEYS/);
    expect(() => readConfiguredKeys(secret)).not.toThrow(hash.slice(1));
  });
});

describe('a client', () => {
  it.each([
    [undefined, ''],
    ['203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['no address', 'no address'],
  ])('at %s is %s', (address, client) => {
    expect(clientOf(address)).toBe(client);
  });
});
