import { describe, test } from 'vitest';
import { indexedDbHarness } from '../conformance/drivers/indexeddb.ts';
import { checkCrashes, checkInterleavings } from './sourcing-laws.ts';

describe('event sourcing in IndexedDB', () => {
  test(
    'any interleaving of writers and consumers loses, doubles, skips and reorders nothing',
    () => checkInterleavings(indexedDbHarness, 4),
    60_000,
  );
  test(
    'a death at any call to the storage loses, doubles, skips and reorders nothing',
    () => checkCrashes(indexedDbHarness, 8),
    120_000,
  );
});
