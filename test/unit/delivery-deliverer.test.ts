/** Deliveries over real HTTP to receivers that are well, slow, down, busy, gone, elsewhere, and wrong about one event. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { consentLimits } from '../../workers/edge/delivery/standing.ts';
import { Receiver, type Reaction } from './delivery-receiver.ts';
import { Shop, wiresOf, type ShopOptions } from './delivery-shop.ts';

const open: Receiver[] = [];
afterEach(async () => {
  for (const receiver of open.splice(0)) await receiver.down();
});

async function shopWith(options: ShopOptions = {}): Promise<{ receiver: Receiver; shop: Shop }> {
  const receiver = await Receiver.listen();
  open.push(receiver);
  return { receiver, shop: new Shop(receiver, options) };
}

const sequences = (received: readonly { readonly sequence: number }[]) =>
  received.map(({ sequence }) => sequence);
const bodies = (received: readonly { readonly body: string }[]) =>
  received.map(({ body }) => JSON.parse(body) as unknown);
const numbered = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe('a delivery', () => {
  it('carries the event as it was captured, signed over an id that holds the sequence', async () => {
    const { receiver, shop } = await shopWith();
    const events = await shop.publish(5);
    await shop.publish(2, { type: 'page.viewed' });
    await shop.settle();
    expect(bodies(receiver.accepted)).toEqual(wiresOf(events));
    expect(receiver.accepted.map(({ id }) => id)).toEqual(numbered(5).map((n) => `sub_1_${n}`));
    expect(receiver.forged).toEqual([]);
    expect(receiver.accepted[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'millrace-sequence': '1',
      'millrace-attempt': '1',
    });
    expect(shop.view).toMatchObject({ delivered: 5, waiting: 0, sequence: 5, state: 'active' });
  });

  it.each([
    ['json', undefined, 'application/json', (event: object) => event],
    ['json', 3, 'application/json', (event: object) => [event]],
    ['cloudevents', undefined, 'application/cloudevents+json', (event: object) => event],
    ['cloudevents', 3, 'application/cloudevents-batch+json', (event: object) => [event]],
  ] as const)('is %s, batched by %s, as %s', async (format, batch, contentType, shape) => {
    const { receiver, shop } = await shopWith({ format, ...(batch && { batch }) });
    const [event] = await shop.publish(1, {
      correlationId: 'c',
      causationId: 'x',
      data: { a: [1, null] },
    });
    await shop.settle();
    const cloudEvent = {
      ...{ specversion: '1.0', id: 'e-1', type: 'order.placed', source: 'shop', subject: 'cart-1' },
      ...{ time: '1970-01-01T00:00:00.001Z', correlationid: 'c', causationid: 'x', priority: 2 },
      ...{ datacontenttype: 'application/json', data: { a: [1, null] } },
    };
    const expected = format === 'json' ? (wiresOf([event!])[0] as object) : cloudEvent;
    expect(bodies(receiver.accepted)).toEqual([shape(expected)]);
    expect(receiver.accepted[0]?.headers['content-type']).toBe(contentType);
    expect(receiver.forged).toEqual([]);
  });

  it('of several events holds those of one order alone', async () => {
    const { receiver, shop } = await shopWith({ batch: 2 });
    for (const subject of ['a', 'b', 'a', 'a', 'b']) await shop.publish(1, { subject });
    await shop.settle();
    const ids = receiver.accepted
      .toSorted((a, b) => a.sequence - b.sequence)
      .map(({ body }) => (JSON.parse(body) as { id: string }[]).map(({ id }) => id));
    expect(ids).toEqual([['e-1', 'e-3'], ['e-2', 'e-5'], ['e-4']]);
  });

  it('goes out beside others of other orders, six at most, and after the one before of its own', async () => {
    const { receiver, shop } = await shopWith();
    const under = new Map<string, number>();
    let together = 0;
    receiver.behaviour = async ({ body }) => {
      const { subject } = JSON.parse(body) as { subject: string };
      under.set(subject, (under.get(subject) ?? 0) + 1);
      together = Math.max(together, under.get(subject)!);
      await new Promise((done) => setTimeout(done, 20));
      under.set(subject, under.get(subject)! - 1);
      return { status: 200 };
    };
    for (let i = 0; i < 40; i++) await shop.publish(1, { subject: `cart-${i % 10}` });
    await shop.settle();
    expect(together).toBe(1);
    expect(receiver.mostAtOnce).toBe(6);
    const perCart = Map.groupBy(
      bodies(receiver.accepted) as { subject: string; data: { number: number } }[],
      ({ subject }) => subject,
    );
    for (const of of perCart.values()) {
      const numbers = of.map(({ data }) => data.number);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    expect(receiver.accepted).toHaveLength(40);
  });
});

describe('an endpoint', () => {
  it('that is down gets everything, in order, when it is back', async () => {
    const { receiver, shop } = await shopWith();
    await shop.publish(2);
    await shop.settle();
    await receiver.down();
    await shop.publish(6);
    await shop.until(() => shop.view.breaker === 'open');
    expect(shop.view.waiting).toBe(6);
    await receiver.up();
    await shop.settle();
    expect(sequences(receiver.accepted)).toEqual(numbered(8));
    expect(shop.view.breaker).toBe('closed');
    expect(shop.deliveries.at(-3)?.trail[0]?.error).toMatch(/ECONNREFUSED|fetch failed/);
  });

  it.each<[string, Reaction, string]>([
    ['answers 500', { status: 500, body: 'a stack trace' }, '"status":500,"excerpt":"a stack trace"'],
    ['redirects', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }, '"status":307'],
    ['ends the connection', 'cut', '"error":'],
    ['never answers', 'ignore', '"error":"no answer within 100 ms"'],
  ])('that %s now and then is asked again, under the same id', async (_, reaction, trail) => {
    const { receiver, shop } = await shopWith({ timeoutMs: 100 });
    receiver.behaviour = ({ id }, earlier) =>
      earlier.filter((one) => one.id === id).length < 2 ? reaction : { status: 200 };
    await shop.publish(3);
    await shop.settle();
    expect(sequences(receiver.accepted)).toEqual(numbered(3));
    expect(sequences(receiver.received)).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
    expect(receiver.received.map(({ headers }) => headers['millrace-attempt']).slice(0, 3)).toEqual([
      '1',
      '2',
      '3',
    ]);
    expect(JSON.stringify(shop.trailOf('e-1')[0]?.trail)).toContain(trail);
    expect(shop.trailOf('e-1')[0]).toMatchObject({ status: 'delivered', attempts: 3 });
  });

  it.each([
    ['seconds', () => '1'],
    ['a date', () => new Date(Date.now() + 2_000).toUTCString()],
  ])('that asks for time with Retry-After in %s is left alone for as long', async (_, retryAfter) => {
    const { receiver, shop } = await shopWith();
    receiver.behaviour = (__, earlier) =>
      earlier.length === 0 ? { status: 429, headers: { 'retry-after': retryAfter() } } : { status: 200 };
    await shop.publish(2, { subject: 'a' });
    await shop.publish(2, { subject: 'b' });
    await shop.until(() => receiver.received.length > 0 && !shop.deliverer.running);
    const [refused] = receiver.received;
    const already = receiver.received.length;
    expect(shop.view.held_until).toBeDefined();
    await shop.settle();
    for (const { at } of receiver.received.slice(already))
      expect(at - refused!.at).toBeGreaterThanOrEqual(990);
    expect(new Set(sequences(receiver.accepted)).size).toBe(4);
  });

  it('that is gone is left alone until its owner goes on, and then gets what it missed', async () => {
    const { receiver, shop } = await shopWith();
    receiver.behaviour = () => ({ status: 410 });
    await shop.publish(3);
    await shop.until(() => shop.view.state === 'disabled');
    expect(shop.deliverer.nextAt()).toBeUndefined();
    expect(shop.view.reason).toContain('410');
    receiver.behaviour = () => ({ status: 200 });
    shop.later += consentLimits.againMs;
    shop.change({ state: 'active' });
    await shop.settle();
    expect(receiver.handshakes).toHaveLength(2);
    expect(sequences(receiver.accepted)).toEqual(numbered(3));
  });

  it('gets nothing before it has consented', async () => {
    const { receiver, shop } = await shopWith();
    receiver.consent = () => ({ status: 405 });
    await shop.publish(2);
    await shop.until(() => receiver.handshakes.length > 2);
    expect(receiver.received).toEqual([]);
    expect(receiver.handshakes[0]?.['webhook-request-origin']).toBe('edge.test');
    expect(shop.view).toMatchObject({
      state: 'pending',
      reason: 'the endpoint answered OPTIONS with 405',
    });
    receiver.consent = () => ({ status: 200 });
    await shop.until(() => /without WebHook-Allowed-Origin/.test(shop.view.reason!));
    receiver.consent = () => ({ status: 200, headers: { 'webhook-allowed-origin': 'other.test' } });
    await shop.until(() => /another origin/.test(shop.view.reason!));
    expect(receiver.received).toEqual([]);
    receiver.consent = (origin) => ({ status: 200, headers: { 'webhook-allowed-origin': origin } });
    await shop.settle();
    expect(sequences(receiver.accepted)).toEqual([1, 2]);
  });

  it('that never consents is asked for three days', async () => {
    const { receiver, shop } = await shopWith();
    receiver.consent = () => ({ status: 404 });
    await shop.until(() => receiver.handshakes.length > 1);
    expect(shop.view.state).toBe('pending');
    shop.later = 3 * 86_400_000;
    await shop.until(() => shop.view.state === 'disabled');
    expect(shop.deliverer.nextAt()).toBeUndefined();
  });

  it('of a name that has moved to a private address is not contacted', async () => {
    const { receiver, shop } = await shopWith({ allowLoopback: false });
    await shop.publish(1);
    await shop.until(() => shop.view.reason !== undefined);
    expect(shop.view.reason).toMatch(/must be https/);
    expect(receiver.handshakes).toEqual([]);
  });

  it('at another URL has to consent itself', async () => {
    const { receiver, shop } = await shopWith();
    await shop.publish(1);
    await shop.settle();
    const other = await Receiver.listen();
    open.push(other);
    other.secret = shop.secret;
    shop.change({ callbackUrl: other.url });
    expect(shop.view.state).toBe('pending');
    await shop.publish(1);
    await shop.settle();
    expect(other.handshakes).toHaveLength(1);
    expect(sequences(other.accepted)).toEqual([2]);
    expect(sequences(receiver.accepted)).toEqual([1]);
    expect(other.forged).toEqual([]);
  });

  it('that talks without end is cut short, and little of it is kept', async () => {
    const { receiver, shop } = await shopWith({ retryForMs: 0 });
    receiver.behaviour = () => ({ status: 400, body: 'é'.repeat(5_000_000) });
    await shop.publish(1);
    await shop.settle();
    expect(shop.trailOf('e-1')[0]?.trail[0]?.excerpt).toBe('é'.repeat(256));
  });
});

describe('what cannot be delivered', () => {
  const poison: (n: number) => (received: { body: string }) => Reaction =
    (n) =>
    ({ body }) =>
      (JSON.parse(body) as { data: { number: number } }).data.number === n
        ? { status: 422, body: 'no' }
        : { status: 200 };

  it('stops nobody else, and is a dead letter when its time is over', async () => {
    const { receiver, shop } = await shopWith({ retryForMs: 60_000 });
    receiver.behaviour = poison(1);
    await shop.publish(1, { subject: 'bad' });
    await shop.publish(1, { subject: 'bad' });
    for (let i = 0; i < 5; i++) await shop.publish(1, { subject: `good-${i}` });
    await shop.until(() => receiver.accepted.length === 5);
    expect(sequences(receiver.accepted)).not.toContain(2);
    shop.later += 61_000;
    await shop.settle();
    expect(shop.view).toMatchObject({ dead_letters: 1, delivered: 6, breaker: 'closed' });
    expect(sequences(receiver.accepted)).toContain(2);
    expect(shop.deliveries.find(({ status }) => status === 'dead')).toMatchObject({
      sequence: 1,
      event_ids: ['e-1'],
    });
  });

  it('is driven again under its own sequence, so that the gap closes', async () => {
    const { receiver, shop } = await shopWith({ retryForMs: 0 });
    receiver.behaviour = poison(2);
    await shop.publish(3);
    await shop.settle();
    expect(sequences(receiver.accepted)).toEqual([1, 3]);
    receiver.behaviour = () => ({ status: 200 });
    shop.redrive();
    await shop.settle();
    expect(sequences(receiver.accepted)).toEqual([1, 3, 2]);
    expect(shop.view.dead_letters).toBe(0);
  });

  it('keeps its time while it is paused', async () => {
    const { receiver, shop } = await shopWith({ retryForMs: 60_000 });
    receiver.behaviour = () => ({ status: 400 });
    await shop.publish(1);
    await shop.until(() => receiver.received.length > 0);
    shop.change({ state: 'paused' });
    expect(shop.deliverer.nextAt()).toBeUndefined();
    shop.later += 3_600_000;
    shop.change({ state: 'active' });
    const before = receiver.received.length;
    await shop.until(() => receiver.received.length > before);
    expect(shop.view.dead_letters).toBe(0);
    receiver.behaviour = () => ({ status: 200 });
    await shop.settle();
    expect(receiver.handshakes).toHaveLength(1);
  });

  it('opens the breaker after five failures in a row: then one probe at a time', async () => {
    const { receiver, shop } = await shopWith({ random: () => 0.5 });
    receiver.behaviour = () => ({ status: 503 });
    for (let i = 0; i < 20; i++) await shop.publish(1, { subject: `cart-${i}` });
    await shop.until(() => shop.view.breaker === 'open' && !shop.deliverer.running);
    const failed = receiver.received.length;
    expect(failed).toBeLessThanOrEqual(11); // five, and what was under way beside them
    receiver.mostAtOnce = 0;
    await shop.until(() => receiver.received.length > failed);
    expect(receiver.mostAtOnce).toBe(1);
    receiver.behaviour = () => ({ status: 200 });
    await shop.settle();
    expect(new Set(sequences(receiver.accepted)).size).toBe(20);
  });
});

describe('a subscription', () => {
  it('signs with both secrets after a rotation, and with the new one alone a day later', async () => {
    const { receiver, shop } = await shopWith();
    await shop.publish(1);
    await shop.settle();
    const secret = shop.change({ rotateSecret: true })!;
    expect(secret).not.toBe(shop.secret);
    await shop.publish(1);
    await shop.settle();
    receiver.secret = secret;
    await shop.publish(1);
    await shop.settle();
    expect(receiver.forged).toEqual([]);
    expect(receiver.accepted.at(-1)?.headers['webhook-signature']?.split(' ')).toHaveLength(2);
    shop.change({ rotateSecret: true });
    expect(() => shop.change({ rotateSecret: true })).toThrow('3 secrets already');
    shop.later += 86_400_000;
    await shop.publish(1);
    await shop.settle();
    expect(receiver.accepted.at(-1)?.headers['webhook-signature']?.split(' ')).toHaveLength(1);
  });

  it('reads a range again beside what is new, under new sequences', async () => {
    const { receiver, shop } = await shopWith();
    await shop.publish(5);
    await shop.settle();
    expect(shop.replay(1, 4)).toEqual(['replay-1']);
    await shop.settle();
    await shop.publish(1);
    await shop.settle();
    const ids = (bodies(receiver.accepted) as { id: string }[]).map(({ id }) => id);
    expect(ids).toEqual([...['e-1', 'e-2', 'e-3', 'e-4', 'e-5'], ...['e-2', 'e-3', 'e-4'], 'e-6']);
    expect(sequences(receiver.accepted)).toEqual(numbered(9));
    expect(shop.view.replays).toEqual([]);
    expect(shop.trailOf('e-2')).toHaveLength(2);
  });

  it('loses nothing with its memory, and what was under way comes again under its id', async () => {
    const { receiver, shop } = await shopWith({ timeoutMs: 1_000 });
    receiver.behaviour = (_, earlier) => (earlier.length === 2 ? 'ignore' : { status: 200 });
    await shop.publish(5);
    const lost = shop.deliverer;
    const running = lost.run();
    await vi.waitFor(() => expect(receiver.received).toHaveLength(3));
    lost.end();
    shop.restart();
    await shop.until(() => shop.view.delivered === 5);
    await running;
    expect(sequences(receiver.received)).toEqual([1, 2, 3, 3, 4, 5]);
    expect(shop.view).toMatchObject({ delivered: 5, waiting: 0 });
  });

  it('finds out by itself what no hint has told it', async () => {
    const { receiver, shop } = await shopWith();
    await shop.publish(1);
    await shop.settle();
    shop.hints = false;
    await shop.publish(2);
    await shop.deliverer.run();
    expect(receiver.accepted).toHaveLength(1);
    expect(shop.deliverer.nextAt()).toBeLessThanOrEqual(Date.now() + 60_000);
    shop.later += 60_000;
    await shop.settle();
    expect(sequences(receiver.accepted)).toEqual([1, 2, 3]);
  });

  it('asks again for a log that cannot be read, after a while', async () => {
    const { shop } = await shopWith({ random: () => 0.999 });
    await shop.publish(3);
    let asked = 0;
    shop.beforePage = () => {
      if (asked++ < 2) throw new Error('the shard is away');
    };
    await shop.until(() => shop.view.trouble === 'the shard is away');
    expect(shop.deliverer.nextAt()).toBeGreaterThan(Date.now());
    shop.later += 60_000;
    await shop.until(() => asked === 2);
    shop.later += 60_000;
    await shop.settle();
    expect(shop.view.delivered).toBe(3);
    expect(shop.view.trouble).toBeUndefined();
    expect(shop.errors).toHaveLength(2);
  });

  it('steps over what is damaged in the log, and counts it', async () => {
    const { receiver, shop } = await shopWith();
    await shop.publish(3);
    shop.beforePage = (after) => {
      if (after > 0) return;
      const details = { log: 'log', position: 1 };
      throw new MillraceError('storage.corrupt', 'position 1 is damaged', details);
    };
    await shop.until(() => shop.view.delivered === 2);
    expect((bodies(receiver.accepted) as { id: string }[]).map(({ id }) => id)).toEqual(['e-2', 'e-3']);
    expect(shop.view.damaged).toBe(1);
  });

  it('takes no more in than it can keep', async () => {
    const { receiver, shop } = await shopWith();
    shop.pretendWaiting(100_000);
    await shop.publish(2);
    await shop.deliverer.run();
    expect(receiver.received).toEqual([]);
    expect(shop.deliverer.nextAt()).toBeGreaterThan(Date.now() + 1_000);
    shop.pretendWaiting(0);
    await shop.settle();
    expect(sequences(receiver.accepted)).toEqual([1, 2]);
  });

  it('forgets what was delivered long ago, and counts it', async () => {
    const { shop } = await shopWith({
      selection: { pattern: { data: { number: [{ exists: true }] } } },
    });
    for (let i = 0; i < 30; i++) await shop.publish(50, { subject: `cart-${i}` });
    await shop.until(() => shop.view.delivered === 1_500, 60_000);
    expect(shop.view.sequence).toBe(1_500);
    const known = shop.database.exec('SELECT COUNT(*) AS count FROM delivery')[0]!['count'] as number;
    const carried = shop.database.exec('SELECT COUNT(*) AS count FROM carried')[0]!['count'];
    expect(known).toBeLessThan(1_100);
    expect(carried).toBe(known);
  }, 60_000);
});
