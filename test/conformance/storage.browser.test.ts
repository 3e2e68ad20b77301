import { describe, test } from 'vitest';
import { checkLaw, storageLaws } from 'millrace/testing';
import { comlinkHarness } from './drivers/comlink.ts';
import { indexedDbHarness } from './drivers/indexeddb.ts';

describe.each([
  ['IndexedDB', indexedDbHarness],
  ['IndexedDB behind Comlink', comlinkHarness],
])('a log in %s', (_, harness) => {
  test.each(storageLaws.map((law) => [law.name, law] as const))('%s', (_name, law) =>
    checkLaw(law, harness),
  );
});
