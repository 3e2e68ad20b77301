/** What a log over shards does about time: raises that are cut off, calls that are not answered, and readers that wait. */
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Page } from '../../src/storage/storage.ts';
import { longPoll } from '../../workers/edge/long-poll.ts';
import type { ShardCalls } from '../../workers/edge/shard-calls.ts';
import { ShardDirectory } from '../../workers/edge/sharding/shard-directory.ts';
import { ShardWaits } from '../../workers/edge/sharding/shard-waits.ts';
import { within } from '../../workers/edge/sharding/time-limit.ts';

/** A clock that stands still: what is after some time comes when it is told. */
function clock() {
  const timers = new Set<() => void>();
  return {
    now: () => 1000,
    after(_: number, callback: () => void) {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
    elapse() {
      for (const timer of timers) timer();
    },
    get timers() {
      return timers.size;
    },
  };
}

class DirectoryWorld {
  readonly kept = new Map<string, unknown>();
  readonly sealed: string[] = [];
  alarms = 0;
  ports = clock();
  seal: (name: string) => Promise<void> = () => Promise.resolve();

  /** Its object, woken anew. */
  directory(): ShardDirectory {
    return new ShardDirectory({
      storage: {
        get: async <T>(key: string) => this.kept.get(key) as T | undefined,
        put: async (key, value) => void this.kept.set(key, value),
        setAlarm: async () => void this.alarms++,
      },
      shard: (name) =>
        ({
          seal: async () => {
            await this.seal(name);
            this.sealed.push(name);
            return { ok: true, value: { head: 7, maxId: '' } };
          },
        }) as unknown as ShardCalls,
      ports: this.ports,
    });
  }
}

const shardsOf = ({ epochs }: { readonly epochs: readonly { readonly shards: number }[] }) =>
  epochs.map(({ shards }) => shards);

describe('a directory', () => {
  it('raises shards one raise after another, whatever was asked for together', async () => {
    const world = new DirectoryWorld();
    const directory = world.directory();
    const asked = [2, 4, 3, 5].map((shards) =>
      directory.raise(shards).then(shardsOf, (error) => error.code),
    );
    expect(await Promise.all(asked)).toEqual([[1, 2], [1, 2, 4], 'query.invalid', [1, 2, 4, 5]]);
    expect(world.sealed).toEqual([
      ...['shard-0', 'shard-1-0', 'shard-1-1'],
      ...['shard-2-0', 'shard-2-1', 'shard-2-2', 'shard-2-3'],
    ]);
    expect(await directory.map()).toMatchObject({ epochs: [{ sealedAt: 1000 }, {}, {}, {}] });
  });

  it('finishes a raise that was cut off, with nobody to ask for it', async () => {
    const world = new DirectoryWorld();
    world.seal = () => Promise.reject(new Error('the shard was evicted'));
    await expect(world.directory().raise(3)).rejects.toThrow('evicted');
    expect(world.alarms, 'it is to be woken').toBeGreaterThan(0);
    await expect(world.directory().resume()).rejects.toThrow('evicted');
    const before = world.alarms;
    world.seal = () => Promise.resolve();
    await world.directory().resume();
    expect(shardsOf(await world.directory().map())).toEqual([1, 3]);
    expect(world.alarms - before, 'and no more').toBe(1);
  });

  it('waits for no shard without end, and raises when it answers again', async () => {
    const world = new DirectoryWorld();
    world.seal = () => new Promise(() => undefined);
    const directory = world.directory();
    const raising = directory.raise(2).catch((error: unknown) => error);
    while (world.ports.timers === 0) await new Promise((done) => setImmediate(done));
    const reading = directory.map().catch((error: unknown) => error);
    await new Promise((done) => setImmediate(done));
    world.ports.elapse();
    expect(await raising).toMatchObject({ code: 'timeout' });
    expect(await reading, 'nor does who asks for the map meanwhile').toMatchObject({ code: 'timeout' });
    world.seal = () => Promise.resolve();
    expect(shardsOf(await directory.map())).toEqual([1, 2]);
  });
});

describe('a limit of time', () => {
  it('gives what comes in time, and leaves no timer behind', async () => {
    const ports = clock();
    const options = { limitMs: 5, what: 'it', ports };
    expect(await within(Promise.resolve(1), options)).toBe(1);
    await expect(within(Promise.reject(new Error('no')), options)).rejects.toThrow('no');
    await new Promise((done) => setImmediate(done));
    expect(ports.timers).toBe(0);
  });
});

describe('waiting for several shards', () => {
  it('asks each one question at a time, however often its reader comes back', async () => {
    const waits = new ShardWaits();
    const asked: string[] = [];
    const answers = new Map<string, () => void>();
    const ask = (name: string) => () => {
      asked.push(name);
      return new Promise<void>((done) => void answers.set(name, done));
    };
    const asks = new Map(['a', 'b'].map((name) => [name, ask(name)]));
    for (let turn = 0; turn < 3; turn++) {
      const waiting = waits.first(asks);
      answers.get('a')!();
      await waiting;
    }
    expect(asked).toEqual(['a', 'b', 'a', 'a']);
  });

  it('fails with the first that fails, and asks that one again', async () => {
    const waits = new ShardWaits();
    let asked = 0;
    const sealed = new MillraceError('shard.sealed', 'sealed', { shard: 'b' });
    const asks = new Map([
      ['a', () => new Promise(() => undefined)],
      ['b', () => (asked++ === 0 ? Promise.reject(sealed) : Promise.resolve())],
    ]);
    await expect(waits.first(asks)).rejects.toMatchObject({ code: 'shard.sealed' });
    await waits.first(asks);
    expect(asked).toBe(2);
  });
});

describe('a long poll', () => {
  const empty: Page = { events: [], next: 0, more: false, head: 0 };

  it('ends when its log has ended, as whoever waits is to go on elsewhere', async () => {
    const ended = new AbortController();
    let reads = 0;
    const polling = longPoll({
      ...{ storage: openMemory(), waitMs: 1_000_000, ports: hostPorts, signal: ended.signal },
      read: async () => (reads++, empty),
    });
    while (reads === 0) await new Promise((done) => setImmediate(done));
    ended.abort();
    expect(await polling).toBe(empty);
    expect(reads, 'it looks once more').toBe(2);
  });
});
