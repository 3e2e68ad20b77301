/** The short form of `npm run soak -- edge`. */
import { expect, test } from 'vitest';
import type { WireEvent } from '../../src/event/wire.ts';
import { edgeSoak } from './edge-soak.ts';
import { compareDeliveries, compareLog, compareReading } from './edge-soak-compare.ts';

test('of what was acknowledged nothing is lost, doubled, out of order, undelivered or unread, however the edge is killed and raised', async () => {
  const report = await edgeSoak({ kills: 6, seed: 3 });
  expect(report).toMatchObject({
    ...{ kills: 6, epochs: 3, hung: 0, refused: 0, lost: 0, doubled: 0, outOfOrder: 0 },
    ...{ undelivered: 0, misdelivered: 0, missed: 0, repeated: 0, miscounted: 0 },
  });
  expect(report.acknowledged, 'there was something to lose').toBeGreaterThan(50);
  expect(report.retries, 'and something to double').toBeGreaterThan(0);
  expect(report.stored).toBeGreaterThanOrEqual(report.acknowledged);
});

test('the comparison finds what is lost, doubled, out of order, undelivered and delivered twice', () => {
  const event = (number: number) =>
    ({ id: `e-${number}`, subject: 'a', data: { number, name: number } }) as unknown as WireEvent;
  const [a, b] = [event(1), event(2)];
  expect(compareLog(['e-1', 'e-2'], [a, b])).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0 });
  expect(compareLog(['e-1', 'e-2'], [b, a, a])).toMatchObject({ lost: 0, doubled: 1, outOfOrder: 2 });
  expect(compareLog(['e-1', 'e-2'], [b])).toMatchObject({ lost: 1 });
  expect(compareLog(['e-1'], [a, { ...a, id: 'e-9' }])).toMatchObject({ lost: 0, doubled: 1 });
  expect(compareReading([a, b], [a, b])).toEqual({ missed: 0, repeated: 0 });
  expect(compareReading([a, a], [a, b])).toEqual({ missed: 1, repeated: 1 });
  expect(compareReading([b, a], [a, b])).toEqual({ missed: 0, repeated: 1 });
  const delivery = (id: string, ...events: WireEvent[]) => ({
    ...{ id, sequence: 1, headers: {}, at: 0, body: JSON.stringify(events) },
  });
  const compare = (...received: ReturnType<typeof delivery>[]) =>
    compareDeliveries({ received, accepted: received, forged: [] }, [a, b]);
  expect(compare(delivery('1', a), delivery('1', a), delivery('2', b))).toEqual({
    ...{ undelivered: 0, misdelivered: 0 },
  });
  expect(compare(delivery('2', b))).toEqual({ undelivered: 1, misdelivered: 0 });
  expect(compare(delivery('1', b), delivery('2', a))).toEqual({ undelivered: 0, misdelivered: 1 });
  expect(compare(delivery('1', a, b), delivery('2', b))).toEqual({ undelivered: 0, misdelivered: 1 });
});
