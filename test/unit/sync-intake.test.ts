import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { encodeLine } from '../../src/event/wire.ts';
import type { Batch } from '../../workers/browser/device-appends.ts';
import { Intake } from '../../workers/browser/intake.ts';
import type { Appended, HandedBatch } from '../../workers/browser/worker-api.ts';
import { settle, shopEvents, SteppedPorts } from './sync-world.ts';

const events = shopEvents(20).map(encodeLine);

const batch = (number: number, lines: readonly string[] = [events[number]!]): HandedBatch => ({
  number,
  lines,
  hurry: false,
});

const full = (): MillraceError =>
  new MillraceError('storage.failed', 'the disk is full', { log: 'device', operation: 'write' });

function world() {
  const ports = new SteppedPorts();
  /** The batches of each transaction, and its end. */
  const transactions: number[][] = [];
  const ends: ((error?: MillraceError) => void)[] = [];
  const append = (batches: readonly Batch[]): Promise<readonly Appended[]> => {
    transactions.push(batches.map(({ number }) => number));
    return new Promise((resolve, reject) => {
      ends.push((error) => {
        if (error) reject(error);
        else resolve(batches.map(({ number }) => ({ positions: [number], failed: [], shed: 0 })));
      });
    });
  };
  const end = async (error?: MillraceError): Promise<void> => {
    ends.shift()!(error);
    await settle();
  };
  return { ports, transactions, end, intake: new Intake(ports, append, () => {}) };
}

describe('a page’s batches', () => {
  it('go down at once, and those that come meanwhile together, in their order', async () => {
    const { intake, transactions, end } = world();
    const all = Promise.all([0, 1, 2, 3].map((number) => intake.add(batch(number))));
    expect(transactions).toEqual([[0]]);
    await end();
    expect(transactions).toEqual([[0], [1, 2, 3]]);
    await end();
    expect((await all).map(({ positions }) => positions)).toEqual([[0], [1], [2], [3]]);
  });

  it('go down in several transactions where they are large', async () => {
    const { intake, transactions, end } = world();
    const large = ['x'.repeat(600_000)];
    for (const number of [0, 1, 2]) void intake.add(batch(number, large));
    void intake.add(batch(3));
    for (let turn = 0; turn < 3; turn++) await end();
    expect(transactions).toEqual([[0], [1], [2, 3]]);
  });

  it('stay in their order behind one that fails in the storage, which is tried until it is down', async () => {
    const { ports, intake, transactions, end } = world();
    const all = Promise.all([0, 1].map((number) => intake.add(batch(number))));
    await end(full());
    expect(intake.trouble).toMatchObject({ code: 'storage.failed' });
    void intake.add(batch(2));
    await ports.step();
    await end(full());
    await ports.step();
    expect(transactions).toEqual([[0], [0, 1, 2], [0, 1, 2]]);
    await end();
    await all;
    expect([intake.trouble, ports.timers]).toEqual([undefined, 0]);
  });

  it('are tried less and less often, every five seconds at the longest', async () => {
    const { ports, intake, transactions, end } = world();
    void intake.add(batch(0));
    const start = ports.now();
    for (let step = 0; step < 200; step++) {
      await end(full());
      await ports.step();
    }
    const each = (ports.now() - start) / transactions.length;
    expect(each).toBeGreaterThan(1_000);
    expect(each).toBeLessThan(5_000);
  });

  it('are tried soon again where the last trouble is over', async () => {
    const { ports, intake, end } = world();
    for (let round = 0; round < 20; round++) {
      const down = intake.add(batch(round));
      const start = ports.now();
      await end(full());
      await ports.step();
      expect(ports.now() - start).toBeLessThanOrEqual(50);
      await end();
      await down;
    }
  });

  it('fail where it is not the storage that failed, and hold up nobody', async () => {
    const { ports, intake, transactions, end } = world();
    const one = intake.add(batch(0));
    const two = intake.add(batch(1));
    const missing = new MillraceError('consent.missing', 'not agreed', { withdrawn: false });
    await Promise.all([end(missing), expect(one).rejects.toBe(missing)]);
    await end();
    expect(await two).toMatchObject({ positions: [1] });
    expect([transactions, ports.timers]).toEqual([[[0], [1]], 0]);
  });

  it('are tried a last time at the end, and answered: none is left pending', async () => {
    const { ports, intake, transactions, end } = world();
    const all = Promise.allSettled([0, 1].map((number) => intake.add(batch(number))));
    await end(full());
    const closed = intake.close();
    await settle();
    expect(transactions).toEqual([[0], [0, 1]]);
    await end(full());
    await closed;
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(ports.timers).toBe(0);
  });
});
