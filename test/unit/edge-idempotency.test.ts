import { describe, expect, it } from 'vitest';
import { openMemory } from '../../src/storage/memory.ts';
import { IDEMPOTENCY_MS, recall, remember, Turns } from '../../workers/edge/idempotency.ts';

function world() {
  const storage = openMemory();
  const clock = { at: 1_000_000_000_000 };
  const ports = { now: () => clock.at };
  return {
    storage,
    clock,
    recall: (key: string, hash = 'h') => recall(storage, { key, hash }, ports),
    remember: async (key: string, outcome: string) => {
      const put = await remember(storage, { key, hash: 'h' }, outcome, ports);
      await storage.commit([{ events: [], put }]);
    },
  };
}

describe('idempotency', () => {
  it('recalls the outcome of the same request for a day', async () => {
    const { recall, remember, clock } = world();
    expect(await recall('k')).toEqual({ state: 'new' });
    await remember('k', 'first');
    expect(await recall('k')).toEqual({ state: 'known', outcome: 'first' });
    expect(await recall('k', 'other')).toEqual({ state: 'other' });
    clock.at += IDEMPOTENCY_MS - 1;
    expect(await recall('k')).toEqual({ state: 'known', outcome: 'first' });
    clock.at += 1;
    expect(await recall('k')).toEqual({ state: 'new' });
  });

  it('keeps no more than a day’s outcomes', async () => {
    const { storage, remember, recall, clock } = world();
    for (let i = 0; i < 100; i++) await remember(`k-${i}`, 'x');
    clock.at += IDEMPOTENCY_MS + 1;
    for (let i = 0; i < 12; i++) await remember(`late-${i}`, 'x');
    expect(await storage.list('idempotency/')).toHaveLength(24);
    for (let i = 0; i < 12; i++) expect(await recall(`late-${i}`)).toMatchObject({ state: 'known' });
  });

  it('keeps the later outcome of a key that was kept before', async () => {
    const { storage, remember, recall, clock } = world();
    await remember('k', 'first');
    clock.at += IDEMPOTENCY_MS / 2;
    await remember('k', 'second');
    clock.at += IDEMPOTENCY_MS / 2 + 1;
    await remember('other', 'x');
    expect(await recall('k')).toEqual({ state: 'known', outcome: 'second' });
    expect((await storage.list('idempotency/age/')).length).toBeLessThanOrEqual(2);
  });

  it('gives each key one turn at a time, whatever becomes of it', async () => {
    const turns = new Turns();
    const order: string[] = [];
    const run =
      (name: string, fails = false) =>
      async () => {
        order.push(`${name} begins`);
        await new Promise((done) => setImmediate(done));
        order.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      };
    const all = [turns.take('k', run('a', true)), turns.take('k', run('b')), turns.take('l', run('c'))];
    const settled = await Promise.allSettled(all);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(order.indexOf('b begins')).toBeGreaterThan(order.indexOf('a ends'));
    expect(order.indexOf('c begins')).toBeLessThan(order.indexOf('a ends'));
  });
});
