import { env } from 'cloudflare:workers';
import { runInDurableObject } from 'cloudflare:test';
import { test } from 'vitest';
import { durableObjectHarness } from '../conformance/drivers/durable-object.ts';
import { visitShop } from '../examples/shop-visit.ts';

test('the cart runs in a Durable Object', async () => {
  const stub = env.SHARD.get(env.SHARD.newUniqueId());
  await runInDurableObject(stub, async (_instance, state) => {
    const harness = durableObjectHarness(state.storage);
    await visitShop(() => harness.open('shop'));
  });
});
