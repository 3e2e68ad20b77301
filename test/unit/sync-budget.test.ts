import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeEvent } from '../../src/event/event.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { DeviceBudget, shares } from '../../workers/browser/device-budget.ts';

const priorities = [1, 2, 3, 4] as const;
const event = (priority: 1 | 2 | 3 | 4, length = 0) =>
  makeEvent({ id: 'a', type: 'a.b', data: 'x'.repeat(length), timestamp: 1, source: 's', priority });

describe('a device’s room', () => {
  it('is filled up to each priority’s share: low ones are shed first, critical ones last', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ priority: fc.constantFrom(...priorities), length: fc.nat(400) })),
        fc.integer({ min: 1, max: 5_000 }),
        (captures, room) => {
          const budget = new DeviceBudget(room);
          let filled = 0;
          for (const { priority, length } of captures) {
            const given = event(priority, length);
            const shed = budget.take(given);
            expect(shed === undefined).toBe(filled / room < shares[priority - 1]!);
            if (shed === undefined) filled += encodeLine(given).length;
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(shares.toSorted((a, b) => a - b)).toEqual(shares);
    expect(shares.at(-1)).toBe(1);
  });

  it('says by its code that an event is shed, and takes events again once there is room', () => {
    const budget = new DeviceBudget(100);
    budget.observe(100);
    expect(budget.take(event(4))).toMatchObject({
      code: 'limit.exceeded',
      details: { limit: 'log.room', maximum: 1 },
    });
    budget.observe(85);
    const taken = priorities.map((priority) => {
      const given = event(priority);
      const shed = budget.take(given);
      if (shed === undefined) budget.giveBack([given]);
      return shed === undefined;
    });
    expect(taken).toEqual([false, false, true, true]);
  });
});
