import { describe, expect, test } from 'vitest';
import { memoryHarness } from '../conformance/drivers/memory.ts';
import { openSqlite } from 'millrace';
import { nodeSqlite, nodeSqliteHarness } from '../conformance/drivers/node-sqlite.ts';
import type { StorageHarness } from '../../src/testing.ts';
import { checkCrashes, checkInterleavings } from './sourcing-laws.ts';

/** In a file a run, most of the time would go into files. */
const sqliteInMemory = (): StorageHarness => ({
  durable: false,
  open: (log) => openSqlite(nodeSqlite(':memory:'), { log }),
});

describe('any interleaving of writers and consumers loses, doubles, skips and reorders nothing', () => {
  test('in memory', () => checkInterleavings(memoryHarness, 150), 60_000);
  test('on node:sqlite', () => checkInterleavings(nodeSqliteHarness, 15), 60_000);
});

describe('a death at any call to the storage loses, doubles, skips and reorders nothing', () => {
  test('in memory', async () => expect(await checkCrashes(memoryHarness)).toBeGreaterThan(50), 60_000);
  test('on node:sqlite', () => checkCrashes(sqliteInMemory), 60_000);
});
