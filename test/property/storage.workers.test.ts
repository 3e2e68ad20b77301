import { env } from 'cloudflare:workers';
import { runInDurableObject } from 'cloudflare:test';
import { describe, test } from 'vitest';
import { durableObjectHarness } from '../conformance/drivers/durable-object.ts';
import { checkStorageModel } from './storage-model.ts';

describe('any sequence of steps leaves a log as its model says', () => {
  test('in a Durable Object', async () => {
    const stub = env.SHARD.get(env.SHARD.newUniqueId());
    let runs = 0;
    await runInDurableObject(stub, (_instance, state) =>
      checkStorageModel(() => {
        const { open } = durableObjectHarness(state.storage);
        const run = ++runs;
        return { durable: true, open: (log) => open(`${log}_${run}`) };
      }, 25),
    );
  });
});
