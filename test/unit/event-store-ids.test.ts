import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isUuidV7 } from 'millrace';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SOUND = '018bcfe5-6800-7abc-89de-f0123456789a';

test('an id is a UUIDv7 exactly where its pattern says so', () => {
  expect(isUuidV7(SOUND)).toBe(true);
  const characters = '0123456789abcdefghAFG-/:`{}é\u0000'.split('');
  const change = fc.tuple(fc.nat(35), fc.constantFrom(...characters));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
      const id = SOUND.split('');
      for (const [at, character] of changes) id[at] = character;
      expect(isUuidV7(id.join(''))).toBe(UUID_V7.test(id.join('')));
    }),
    { numRuns: 5000 },
  );
  for (const other of ['', SOUND.slice(1), `${SOUND}0`]) expect(isUuidV7(other)).toBe(false);
});
