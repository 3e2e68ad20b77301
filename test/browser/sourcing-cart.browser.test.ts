import { test } from 'vitest';
import { indexedDbHarness } from '../conformance/drivers/indexeddb.ts';
import { visitShop } from '../examples/shop-visit.ts';

test('the cart runs offline in a tab', async () => {
  const harness = indexedDbHarness();
  try {
    await visitShop(() => harness.open('shop'));
  } finally {
    await harness.cleanup?.();
  }
});
