import { env } from 'cloudflare:workers';
import { runInDurableObject } from 'cloudflare:test';
import { describe, test } from 'vitest';
import { durableObjectHarness } from '../conformance/drivers/durable-object.ts';
import { checkCrashes, checkInterleavings } from './sourcing-laws.ts';
import type { StorageHarness } from '../../src/testing.ts';

/** Runs on the storage of one object, each run with a log of its own. */
async function inObject(run: (create: () => StorageHarness) => Promise<unknown>): Promise<void> {
  const stub = env.SHARD.get(env.SHARD.newUniqueId());
  let logs = 0;
  await runInDurableObject(stub, (_instance, state) =>
    run(() => {
      const { open } = durableObjectHarness(state.storage);
      const log = ++logs;
      return { durable: true, open: (name) => open(`${name}_${log}`) };
    }),
  );
}

describe('event sourcing in a Durable Object', () => {
  test(
    'any interleaving of writers and consumers loses, doubles, skips and reorders nothing',
    () => inObject((create) => checkInterleavings(create, 10)),
    60_000,
  );
  test(
    'a death at any call to the storage loses, doubles, skips and reorders nothing',
    () => inObject((create) => checkCrashes(create)),
    120_000,
  );
});
