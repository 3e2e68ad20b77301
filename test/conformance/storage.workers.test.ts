import { env } from 'cloudflare:workers';
import { runInDurableObject } from 'cloudflare:test';
import { describe, test } from 'vitest';
import { checkLaw, storageLaws } from 'millrace/testing';
import { durableObjectHarness } from './drivers/durable-object.ts';

describe('a log in a Durable Object', () => {
  test.each(storageLaws.map((law) => [law.name, law] as const))('%s', async (_name, law) => {
    // Each law has an object of its own.
    const stub = env.SHARD.get(env.SHARD.newUniqueId());
    await runInDurableObject(stub, (_instance, state) =>
      checkLaw(law, () => durableObjectHarness(state.storage)),
    );
  });
});
