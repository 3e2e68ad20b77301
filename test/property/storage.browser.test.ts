import { describe, test } from 'vitest';
import { indexedDbHarness } from '../conformance/drivers/indexeddb.ts';
import { checkStorageModel } from './storage-model.ts';

describe('any sequence of steps leaves a log as its model says', () => {
  test('in IndexedDB', () => checkStorageModel(indexedDbHarness, 25), 60_000);
});
