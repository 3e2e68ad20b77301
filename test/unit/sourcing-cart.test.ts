import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { givenFor, GivenBroken } from 'millrace/testing';
import { nodeSqliteHarness } from '../conformance/drivers/node-sqlite.ts';
import { cart } from '../examples/cart.ts';
import { visitShop } from '../examples/shop-visit.ts';

const given = givenFor(cart);
const espresso = { productId: 'espresso', quantity: 1, price: 9 };

describe('the cart', () => {
  test('runs on SQLite as it does in a tab and in a Durable Object', async () => {
    const harness = nodeSqliteHarness();
    try {
      await visitShop(() => harness.open('shop'));
    } finally {
      await harness.cleanup?.();
    }
  });

  test('takes what is added, and adds up what is ordered', () => {
    given()
      .when({ do: 'add', ...espresso })
      .then({ type: 'product.added', data: espresso });
    given({ type: 'product.added', data: espresso }, { type: 'product.added', data: espresso })
      .when({ do: 'place order' })
      .then({ type: 'order.placed', data: { total: 18 } });
  });

  test('does nothing where there is nothing to remove, and refuses an empty order', () => {
    given().when({ do: 'remove', productId: 'espresso' }).thenNothing();
    given().when({ do: 'place order' }).thenRefused(/empty/);
    given({ type: 'product.added', data: espresso }, { type: 'order.placed', data: { total: 9 } })
      .when({ do: 'remove', productId: 'espresso' })
      .thenRefused();
  });
});

describe('given, when, then', () => {
  test('fails where other events, none, or a refusal come', () => {
    const added = given().when({ do: 'add', ...espresso });
    expect(() => added.then({ type: 'product.added', data: { ...espresso, price: 1 } })).toThrow(
      GivenBroken,
    );
    expect(() => added.thenNothing()).toThrow(GivenBroken);
    expect(() => added.thenRefused()).toThrow('not refused');
    const refused = given().when({ do: 'place order' });
    expect(() => refused.thenNothing()).toThrow('it was refused');
    expect(() => refused.thenRefused(/another reason/)).toThrow('refused otherwise');
    expect(() => refused.thenRefused('version.conflict')).toThrow('refused otherwise');
  });
});

const root = join(import.meta.dirname, '..', '..');

test('the example in the docs is the one that runs', () => {
  const code = readFileSync(join(root, 'test/examples/cart.ts'), 'utf8');
  const [, region = 'none'] = /\/\/ #region cart\n([\s\S]*?)\/\/ #endregion/.exec(code) ?? [];
  const docs = readFileSync(join(root, 'README.md'), 'utf8');
  const [, quoted] = /<!-- cart -->\n```ts\n([\s\S]*?)```\n<!-- \/cart -->/.exec(docs) ?? [];
  expect(quoted).toBe(region);
});
