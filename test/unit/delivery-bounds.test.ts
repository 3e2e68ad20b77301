/** What bounds deliveries, whatever logs hold, endpoints ask for and owners do. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { dryRun, dryRunLimits } from '../../workers/edge/delivery/dry-run.ts';
import { feedLimits } from '../../workers/edge/delivery/feed.ts';
import { allowance, allowedAt, paced } from '../../workers/edge/delivery/pace.ts';
import { readLedger, writeLedger } from '../../workers/edge/delivery/ledger.ts';
import { consentLimits } from '../../workers/edge/delivery/standing.ts';
import type { Source } from '../../workers/edge/delivery/source.ts';
import { Receiver } from './delivery-receiver.ts';
import { Shop, type ShopOptions } from './delivery-shop.ts';

const open: Receiver[] = [];
afterEach(async () => {
  for (const receiver of open.splice(0)) await receiver.down();
});

async function shopWith(options: ShopOptions = {}): Promise<{ receiver: Receiver; shop: Shop }> {
  const receiver = await Receiver.listen();
  open.push(receiver);
  return { receiver, shop: new Shop(receiver, options) };
}

const consenting = (rate: string) => () => ({
  status: 200,
  headers: { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': rate },
});

describe('a rate', () => {
  it('is kept in every minute, and used up', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 1_500 }),
      wanted: fc.constantFrom(0, 1, 3, 100),
    });
    const steps = fc.array(step, { minLength: 50, maxLength: 200, size: 'max' });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), steps, (rate, given) => {
        const sent: number[] = [];
        let [now, paceAt] = [0, 0];
        for (const { waitMs, wanted } of given) {
          now += waitMs;
          const requests = Math.min(wanted, allowance(paceAt, rate, now));
          if (requests > 0) paceAt = paced(paceAt, rate, now, requests);
          sent.push(...Array<number>(requests).fill(now));
          expect(allowance(paceAt, rate, Math.max(now, allowedAt(paceAt)))).toBeGreaterThan(0);
        }
        for (const from of sent)
          expect(sent.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(rate);
      }),
    );
  });

  it('that the endpoint allows is obeyed, across a loss of memory too', async () => {
    const { receiver, shop } = await shopWith();
    receiver.consent = consenting('6');
    const waits: number[] = [];
    await shop.publish(4);
    for (let delivered = 1; delivered <= 4; delivered++) {
      await shop.until(() => shop.view.delivered === delivered);
      await shop.restart().run();
      expect(receiver.received).toHaveLength(delivered);
      waits.push(shop.deliverer.nextAt()! - Date.now() - shop.later);
      shop.later += 10_000;
    }
    expect(Math.min(...waits)).toBeGreaterThan(4_000);
    expect(shop.view).toMatchObject({ allowed_rate: 6, waiting: 0 });
  });

  it.each(['*', 'many', ''])('of %j limits nothing', async (rate) => {
    const { receiver, shop } = await shopWith();
    receiver.consent = consenting(rate);
    await shop.publish(20);
    await shop.settle();
    expect(shop.view).not.toHaveProperty('allowed_rate');
  });

  it('of none is no consent', async () => {
    const { receiver, shop } = await shopWith();
    receiver.consent = consenting('0');
    await shop.deliverer.run();
    expect(shop.view).toMatchObject({ state: 'pending', reason: expect.stringContaining('is 0') });
  });
});

describe('an endpoint that has not consented', () => {
  it('is not asked more often for its owner’s resuming again and again', async () => {
    const { receiver, shop } = await shopWith();
    receiver.consent = () => ({ status: 403 });
    await shop.deliverer.run();
    for (let i = 0; i < 20; i++) {
      shop.change({ state: 'paused' });
      shop.change({ state: 'active' });
      await shop.deliverer.run();
    }
    expect(receiver.handshakes).toHaveLength(1);
    expect(shop.view.state).toBe('pending');
    shop.later += consentLimits.againMs;
    await shop.deliverer.run();
    expect(receiver.handshakes).toHaveLength(2);
  });
});

describe('what is kept', () => {
  it('is bounded by its characters, which are given back by what is delivered and dropped', async () => {
    const { receiver, shop } = await shopWith({ retryForMs: 0, batch: 3 });
    receiver.behaviour = ({ sequence }) => ({ status: sequence % 2 === 0 ? 204 : 400 });
    await shop.publish(30, { data: 'x'.repeat(1_000) });
    await shop.settle();
    const { dead, characters } = readLedger(shop.database);
    expect(dead).toBe(5);
    expect(characters).toBeGreaterThan(15_000);
    const lines = shop.database.exec(`SELECT lines FROM delivery WHERE lines IS NOT NULL`);
    expect(characters).toBe(lines.reduce((sum, row) => sum + (row['lines'] as string).length, 0));

    writeLedger(shop.database, { ...readLedger(shop.database), characters: feedLimits.keptCharacters });
    const { sequence } = shop.view;
    await shop.publish(1);
    await shop.deliverer.run();
    expect(shop.view.sequence).toBe(sequence);

    writeLedger(shop.database, { ...readLedger(shop.database), characters });
    receiver.behaviour = () => ({ status: 204 });
    shop.redrive();
    await shop.settle();
    expect(readLedger(shop.database)).toMatchObject({ dead: 0, waiting: 0, characters: 0 });
  });

  it('is attempted again from the oldest on', async () => {
    const { receiver, shop } = await shopWith({ retryForMs: 0 });
    receiver.behaviour = () => ({ status: 400 });
    await shop.publish(1_003, { subject: 'one' });
    await shop.until(() => shop.view.dead_letters === 1_003, 20_000);
    receiver.behaviour = () => ({ status: 204 });
    shop.redrive();
    await shop.until(() => shop.view.waiting === 0);
    expect(shop.view).toMatchObject({ dead_letters: 3, delivered: 1_000 });
    expect(receiver.accepted.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => i + 1),
    );
  });
});

describe('a replay', () => {
  it.each([
    [5, 2],
    [3, 3],
    [0, 0],
  ])('from %i to %i, which is nothing, ends', async (after, until) => {
    const { receiver, shop } = await shopWith();
    await shop.publish(6);
    await shop.settle();
    shop.replay(after, until);
    await shop.until(() => shop.view.replays.length === 0);
    expect([receiver.received.length, shop.errors]).toEqual([6, []]);
  });
});

describe('a dry run', () => {
  it('ends where pages hold nothing and always have more', async () => {
    let pages = 0;
    const endless: Source = {
      name: 'shard-0',
      page: async ({ after = 0 }) => {
        if (++pages > 10_000) throw new Error('it never ends');
        return { lines: [], next: after + 1, more: true, head: Number.MAX_SAFE_INTEGER };
      },
    };
    const answer = await dryRun({ eventTypes: ['rare'] }, [endless], {});
    expect(answer).toEqual({ matched: 0, scanned: 0, complete: false, samples: [] });
    expect(pages).toBe(dryRunLimits.pages);
  });
});

describe('a CloudEvent', () => {
  it('has a source that is a URI reference, and an event’s own where it is one', async () => {
    const { receiver, shop } = await shopWith({ format: 'cloudevents' });
    for (const source of ['the shop', 'https://shop.example/till?no=1', 'größe|<>'])
      await shop.publish(1, { source });
    await shop.settle();
    const sources = receiver.accepted.map(({ body }) => (JSON.parse(body) as { source: string }).source);
    expect(sources).toEqual([
      'urn:millrace:source:the%20shop',
      'https://shop.example/till?no=1',
      'urn:millrace:source:gr%C3%B6%C3%9Fe%7C%3C%3E',
    ]);
  });
});
