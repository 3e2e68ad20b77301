import { describe, test } from 'vitest';
import { checkLaw, storageLaws } from 'millrace/testing';
import { memoryHarness, memorySegmentsHarness } from './drivers/memory.ts';
import { archivedSqliteHarness, nodeSqliteHarness } from './drivers/node-sqlite.ts';

describe.each([
  ['memory', memoryHarness],
  ['segments in memory', memorySegmentsHarness],
  ['node:sqlite', nodeSqliteHarness],
  ['an archive', archivedSqliteHarness],
])('a log in %s', (_, harness) => {
  test.each(storageLaws.map((law) => [law.name, law] as const))('%s', (_name, law) =>
    checkLaw(law, harness),
  );
});
