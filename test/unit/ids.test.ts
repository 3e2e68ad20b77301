import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createIds, isUuidV7, timeOfUuidV7 } from 'millrace';

const fillRandom = (bytes: Uint8Array<ArrayBuffer>): void => void crypto.getRandomValues(bytes);

test('ids are UUIDv7, carry the time, and rise whatever the clock does', () => {
  const clock = fc.array(fc.integer({ min: 0, max: 2 ** 47 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(clock, (times) => {
      let now = 0;
      const nextId = createIds({ now: () => now, fillRandom });
      let last = '';
      let latest = -1;
      for (now of times) {
        const id = nextId();
        latest = Math.max(latest, now);
        expect(isUuidV7(id)).toBe(true);
        expect(timeOfUuidV7(id)).toBe(latest);
        expect(id > last).toBe(true);
        last = id;
      }
    }),
  );
});

test('a million ids of one ms, and of two sources, are all different', () => {
  const sources = [0, 1].map(() => createIds({ now: () => 1, fillRandom }));
  const seen = new Set(Array.from({ length: 1_000_000 }, (_, i) => sources[i % 2]!()));
  expect(seen.size).toBe(1_000_000);
});

test('a counter that is used up borrows from the next ms', () => {
  const ones = (bytes: Uint8Array): void => void bytes.fill(255);
  const nextId = createIds({ now: () => 5, fillRandom: ones });
  const ids = Array.from({ length: 5 }, nextId);
  expect(ids.toSorted()).toEqual(ids);
});
