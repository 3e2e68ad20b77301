import { describe, test } from 'vitest';
import { memoryHarness, memorySegmentsHarness } from '../conformance/drivers/memory.ts';
import { archivedSqliteHarness, nodeSqliteHarness } from '../conformance/drivers/node-sqlite.ts';
import { checkStorageModel } from './storage-model.ts';

describe('any sequence of steps leaves a log as its model says', () => {
  test('in memory', () => checkStorageModel(memoryHarness, 1000));
  test('in segments in memory', () => checkStorageModel(memorySegmentsHarness, 500));
  test('on node:sqlite', () => checkStorageModel(nodeSqliteHarness, 200));
  test('in an archive', () => checkStorageModel(archivedSqliteHarness, 100));
});
