/** The laws of dead letters, over each of their hosts: what is listed, what redriving and dropping do, and how it is counted. */
import { describe, expect, it, vi } from 'vitest';
import fc from 'fast-check';
import { EventBus } from '../../src/bus/event-bus.ts';
import { PubSub } from '../../src/bus/pub-sub.ts';
import { MillraceError } from '../../src/errors.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { hostPorts } from '../../src/ports.ts';
import { EventRouter } from '../../src/routing/event-router.ts';
import {
  deadLetter,
  deadLetterToWire,
  eventOf,
  reasonOf,
  type DeadLetter,
} from '../../src/storage/dead-letters/dead-letter.ts';
import type { DeadLetters, DeadLetterStore } from '../../src/storage/dead-letters/dead-letters.ts';
import { letterId } from '../../src/storage/dead-letters/letter-id.ts';
import { MemoryDeadLetters } from '../../src/storage/dead-letters/memory-dead-letters.ts';
import { StoredDeadLetters } from '../../src/storage/dead-letters/stored-dead-letters.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { syncDeadLetters } from '../../src/sync/dead-letters.ts';
import { Pusher } from '../../src/sync/pusher.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { fromBus, fromStore } from '../../src/windows/streams/sources.ts';
import { stream } from '../../src/windows/streams/stream.ts';
import { tumbling } from '../../src/windows/windows.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import { faultyTransport, MemoryEdge, SteppedPorts } from './sync-world.ts';

function order(id: string): Event {
  return makeEvent({
    ...{ id, type: 'order.placed', data: { id }, timestamp: 1_700_000_000_000 },
    ...{ source: 'till', priority: 2 },
  });
}

/** A host that fails on the events of the ids in `bad`, and the ids of those that it took when they came again. */
interface World {
  readonly letters: DeadLetters;
  readonly bad: Set<string>;
  readonly taken: string[];
  readonly part: DeadLetter['where']['part'];
  give(events: readonly Event[]): Promise<void>;
  /** Where letters are looked for now and then: once that has begun. */
  listening?(): Promise<void>;
}

function handlerOf(bad: ReadonlySet<string>, taken: string[]) {
  return (event: Event): void => {
    if (bad.has(event.id)) throw new TypeError(`${event.id} is bad`);
    taken.push(event.id);
  };
}

const quiet = (): void => {};

function busWorld(deadLetters: DeadLetterStore): World {
  const bad = new Set<string>();
  const taken: string[] = [];
  const bus = new EventBus({ deadLetters, onError: quiet });
  bus.subscribe('#', handlerOf(bad, taken), { name: 'pack' });
  const give = async (events: readonly Event[]): Promise<void> => {
    for (const event of events) await bus.publish(event);
  };
  return { letters: bus.deadLetters, bad, taken, part: 'bus', give };
}

function topicWorld(deadLetters: DeadLetterStore): World {
  const bad = new Set<string>();
  const taken: string[] = [];
  const topics = new PubSub({ deadLetters, onError: quiet });
  const subscription = topics.subscribe('#', handlerOf(bad, taken), { name: 'pack' });
  topics.start();
  const give = async (events: readonly Event[]): Promise<void> => {
    for (const event of events) await topics.publish('orders', event);
    const { counts } = subscription;
    await vi.waitFor(() =>
      expect(subscription.counts.handled + subscription.counts.failed).toBe(counts.received),
    );
  };
  return { letters: topics.deadLetters, bad, taken, part: 'topic', give };
}

function routerWorld(deadLetters: DeadLetterStore): World {
  const bad = new Set<string>();
  const taken: string[] = [];
  const router = new EventRouter({ deadLetters, targets: { pack: handlerOf(bad, taken) } });
  router.addRule({ id: 'orders', target: 'pack' });
  const give = async (events: readonly Event[]): Promise<void> => {
    for (const event of events) await router.dispatch(event);
  };
  return { letters: router.deadLetters, bad, taken, part: 'router', give };
}

async function pushWorld(): Promise<World> {
  const edge = new MemoryEdge();
  const storage = openMemory();
  const taken: string[] = [];
  const publish = async (line: string): Promise<void> => {
    const { id } = decodeLine(line);
    if (edge.poison.has(id)) {
      const details = { endpoint: 'edge', status: 400, reason: 'bad', code: 'event.invalid' };
      throw new MillraceError('sync.refused', `${id} is bad`, details);
    }
    taken.push(id);
  };
  const give = async (events: readonly Event[]): Promise<void> => {
    await storage.commit([{ events }]);
    const ports = new SteppedPorts();
    const pusher = new Pusher({ storage, transport: faultyTransport(edge), ports }).start();
    await ports.until(() => pusher.status.state === 'idle');
    await pusher.stop();
    for (const { id } of events) if (!edge.poison.has(id)) taken.push(id);
  };
  let looks = 0;
  const ports = {
    now: hostPorts.now,
    after: (delayMs: number, callback: () => void) => (looks++, hostPorts.after(delayMs, callback)),
  };
  const letters = syncDeadLetters(storage, { publish, ports, pollMs: 1 });
  const listening = (): Promise<void> => vi.waitFor(() => expect(looks).toBeGreaterThan(0));
  return { letters, bad: edge.poison, taken, part: 'push', give, listening };
}

function logStreamWorld(): World {
  const bad = new Set<string>();
  const taken: string[] = [];
  const store = new EventStore(openMemory());
  const handle = handlerOf(bad, taken);
  const run = stream(fromStore(store))
    .filter((event) => (handle(event), true))
    .window(tumbling(1000))
    .aggregate(count())
    .open({ name: 'orders', ports: hostPorts });
  const give = async (events: readonly Event[]): Promise<void> => {
    await store.append(events);
    await run.catchUp();
  };
  return { letters: run.deadLetters, bad, taken, part: 'stream', give };
}

function liveStreamWorld(): World {
  const bad = new Set<string>();
  const taken: string[] = [];
  const bus = new EventBus();
  const handle = handlerOf(bad, taken);
  const run = stream(fromBus(bus))
    .filter((event) => (handle(event), true))
    .window(tumbling(1000))
    .aggregate(count())
    .open({ name: 'orders', ports: hostPorts });
  run.start();
  const give = async (events: readonly Event[]): Promise<void> => {
    for (const event of events) await bus.publish(event);
    await run.catchUp();
  };
  return { letters: run.deadLetters, bad, taken, part: 'stream', give };
}

const stored = (): DeadLetterStore => new StoredDeadLetters(openMemory(), 'host');

const worlds: Record<string, () => World | Promise<World>> = {
  'a bus, in memory': () => busWorld(new MemoryDeadLetters()),
  'a bus, in a storage': () => busWorld(stored()),
  'a bus, in SQLite': () => busWorld(new StoredDeadLetters(openSqlite(nodeSqlite(':memory:')), 'host')),
  'topics, in memory': () => topicWorld(new MemoryDeadLetters()),
  'topics, in a storage': () => topicWorld(stored()),
  'a router, in memory': () => routerWorld(new MemoryDeadLetters()),
  'a router, in a storage': () => routerWorld(stored()),
  'the push of a log': pushWorld,
  'a stream over a store': logStreamWorld,
  'a stream over a bus': liveStreamWorld,
};

const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe.each(Object.entries(worlds))('the dead letters of %s', (_, open) => {
  const begin = async (bad: readonly string[]): Promise<World> => {
    const world = await open();
    for (const id of bad) world.bad.add(id);
    await world.give(IDS.map(order));
    return world;
  };
  const eventsOf = (letters: readonly DeadLetter[]): (string | undefined)[] =>
    letters.map((letter) => eventOf(letter)?.id);

  it('hold each event that failed, where, why and when, and no other', async () => {
    const before = Date.now();
    const { letters, taken, part } = await begin(['b', 'e']);
    const all = await letters.list();
    expect(eventsOf(all)).toEqual(['b', 'e']);
    expect(await letters.count()).toBe(2);
    expect(letters.shed).toBe(0);
    expect(taken).toEqual(['a', 'c', 'd', 'f', 'g']);
    for (const letter of all) {
      const { id, where, reason, attempts, firstAt, lastAt } = letter;
      expect(where.part).toBe(part);
      expect(where.name).not.toBe('');
      expect(reason).toMatchObject({ name: 'MillraceError', code: expect.any(String) });
      expect(reason.message).not.toBe('');
      expect([attempts, firstAt]).toEqual([1, lastAt]);
      // The push has a clock of its own.
      expect(firstAt).toBeGreaterThanOrEqual(part === 'push' ? 0 : before);
      expect(await letters.get(id)).toEqual(letter);
      const wire = deadLetterToWire(letter);
      expect(JSON.parse(JSON.stringify(wire))).toEqual(wire);
      expect(wire).toMatchObject({ id, part, reason: { code: reason.code }, attempts: 1 });
    }
    expect(await letters.get('none')).toBeUndefined();
  });

  it('come in pages, in the order of their ids, each once', async () => {
    const { letters } = await begin(['a', 'c', 'd', 'f', 'g']);
    const all = await letters.list();
    for (const limit of [1, 2, 5]) {
      const paged: DeadLetter[] = [];
      for (let after = ''; ;) {
        const page = await letters.list({ after, limit });
        paged.push(...page);
        if (page.length < limit) break;
        after = page.at(-1)!.id;
      }
      expect(paged).toEqual(all);
    }
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted());
    const refused = async (): Promise<unknown> => letters.list({ limit: 0 });
    await expect(refused()).rejects.toMatchObject({ code: 'query.invalid' });
  });

  it('are driven again where they failed: taken they are gone, failed they stay with the new reason', async () => {
    const { letters, bad, taken } = await begin(['b', 'd', 'f']);
    const [first, second] = await letters.list();
    bad.delete('b');
    expect(await letters.redrive()).toEqual({ redriven: 1, failed: 2 });
    expect(taken.filter((id) => id === 'b')).toHaveLength(1);
    const left = await letters.list();
    expect(eventsOf(left)).toEqual(['d', 'f']);
    expect(left.map(({ id }) => id)).not.toContain(first!.id);
    expect(left.map(({ attempts }) => attempts)).toEqual([2, 2]);
    expect(left[0]).toMatchObject({ id: second!.id, firstAt: second!.firstAt });
    expect(left[0]!.lastAt).toBeGreaterThanOrEqual(left[0]!.firstAt);
    bad.clear();
    expect(await letters.redrive([second!.id, 'none'])).toEqual({ redriven: 1, failed: 0 });
    expect(eventsOf(await letters.list())).toEqual(['f']);
    expect(await letters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(await letters.redrive()).toEqual({ redriven: 0, failed: 0 });
    expect(taken.toSorted()).toEqual(IDS);
  });

  it('are dropped for good, those that are named or all', async () => {
    const { letters, bad, taken } = await begin(['b', 'd', 'f']);
    const [first] = await letters.list();
    expect(await letters.drop([first!.id, 'none'])).toBe(1);
    expect(await letters.count()).toBe(2);
    expect(await letters.drop()).toBe(2);
    expect(await letters.drop()).toBe(0);
    bad.clear();
    expect(await letters.redrive()).toEqual({ redriven: 0, failed: 0 });
    expect(taken).toEqual(['a', 'c', 'e', 'g']);
  });

  it('are told of once they are kept, until nobody listens any more', async () => {
    const world = await open();
    const told: string[] = [];
    const stop = world.letters.onAdded((letter) => told.push(eventOf(letter)!.id));
    await world.listening?.();
    world.bad.add('b');
    await world.give([order('a'), order('b')]);
    await vi.waitFor(() => expect(told).toEqual(['b']));
    stop();
    world.bad.add('c');
    await world.give([order('c')]);
    expect(await world.letters.count()).toBe(2);
    expect(told).toEqual(['b']);
  });

  it('stop being driven when the signal says so', async () => {
    const { letters, bad } = await begin(['b', 'd']);
    bad.clear();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(letters.redrive(undefined, { signal })).rejects.toThrow('enough');
    expect(await letters.count()).toBe(2);
  });
});

describe.each([
  ['in memory', () => new MemoryDeadLetters()],
  ['in a storage', stored],
])('a store of dead letters %s', (_, open) => {
  it('is what a map by id would be, whatever is added and dropped', async () => {
    const id = fc.constantFrom('a', 'b/c', 'é', 'z');
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), id, at: fc.nat(1000) }),
      fc.record({ do: fc.constant('drop' as const), id }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const store = open();
        const oracle = new Map<string, { attempts: number; firstAt: number; lastAt: number }>();
        const dropped: [number, number][] = [];
        for (const one of steps) {
          if (one.do === 'drop') {
            dropped.push([await store.drop([one.id]), oracle.delete(one.id) ? 1 : 0]);
            continue;
          }
          const where = { part: 'bus', name: 'pack' } as const;
          const { at } = one;
          // Not awaited: adding and reading keep their order by themselves.
          void store.add(deadLetter({ id: one.id, where, error: 'x', attempts: 1, at }));
          const { attempts, firstAt } = oracle.get(one.id) ?? { attempts: 0, firstAt: at };
          oracle.set(one.id, { attempts: attempts + 1, firstAt, lastAt: at });
        }
        const listed = (await store.list()).map(({ id, attempts, firstAt, lastAt }) => [
          id,
          { attempts, firstAt, lastAt },
        ]);
        expect(listed).toEqual([...oracle].toSorted(([a], [b]) => (a < b ? -1 : 1)));
        expect(await store.count()).toBe(oracle.size);
        for (const [ours, theirs] of dropped) expect(ours).toBe(theirs);
      }),
      { numRuns: 100 },
    );
  });
});

describe('dead letters in memory', () => {
  it('are bounded: the one that failed longest ago gives way, and is counted', () => {
    const store = new MemoryDeadLetters({ capacity: 2 });
    for (const id of ['a', 'b', 'a', 'c'])
      store.add(deadLetter({ id, where: { part: 'bus', name: 'x' }, error: 0, attempts: 1, at: 0 }));
    expect(store.list().map(({ id }) => id)).toEqual(['a', 'c']);
    expect(store).toMatchObject({ shed: 1 });
    for (const capacity of [0, 1.5, NaN])
      expect(() => new MemoryDeadLetters({ capacity })).toThrow(
        expect.objectContaining({ code: 'query.invalid' }),
      );
  });
});

describe('dead letters in a storage', () => {
  const letter = (id: string): DeadLetter =>
    deadLetter({ id, where: { part: 'bus', name: 'x' }, error: 'broken', attempts: 1, at: 1 });

  it('are there for the next process, and driven again from there', async () => {
    const storage = openMemory();
    const first = busWorld(new StoredDeadLetters(storage, 'shop'));
    first.bad.add('b');
    await first.give(['a', 'b'].map(order));
    await first.letters.count();
    const next = busWorld(new StoredDeadLetters(storage, 'shop'));
    expect(await next.letters.redrive()).toEqual({ redriven: 1, failed: 0 });
    expect(next.taken).toEqual(['b']);
    expect(await busWorld(new StoredDeadLetters(storage, 'other')).letters.count()).toBe(0);
  });

  it('that cannot be stored are counted, and their host is told', async () => {
    const broken: Storage = Object.assign(Object.create(openMemory()) as Storage, {
      get: async () => undefined,
      commit: async () => {
        throw new MillraceError('storage.failed', 'full', { log: 'x', operation: 'commit' });
      },
    });
    const store = new StoredDeadLetters(broken, 'shop');
    const adding = ['a', 'b'].map((id) => store.add(letter(id)));
    for (const one of adding) await expect(one).rejects.toMatchObject({ code: 'storage.failed' });
    expect(store.shed).toBe(2);
  });

  it('beyond 10,000 that wait are shed, counted', async () => {
    const storage = openMemory();
    const store = new StoredDeadLetters(storage, 'shop');
    const adding = Array.from({ length: 10_003 }, (_, i) => store.add(letter(String(i))));
    const results = await Promise.allSettled(adding);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
    expect(store.shed).toBe(3);
    expect(await store.count()).toBe(10_000);
  });

  it('keep a letter whose event is no JSON, without the event', async () => {
    const store = new StoredDeadLetters(openMemory(), 'shop');
    const event = { ...order('a'), data: { big: 1n } };
    await store.add({ ...letter('a'), event });
    expect(await store.list()).toEqual([letter('a')]);
  });
});

describe('a dead letter', () => {
  it('has an id of its event and place that no other has, however long they are', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }), {
      minLength: 2,
      maxLength: 3,
    });
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const [one, other] = [a, b].map(([event, ...place]) => letterId(event!, ...place));
        expect(one === other).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(one!.length).toBeLessThan(400);
        expect(one!.isWellFormed() && !one!.includes('\0')).toBe(true);
      }),
    );
  });

  it('says what was thrown, whatever it was', () => {
    expect(reasonOf(new RangeError('far'))).toMatchObject({
      code: 'failed',
      message: 'far',
      details: { error: 'RangeError' },
    });
    expect(reasonOf('text')).toMatchObject({ message: 'text', details: { error: 'string' } });
    expect(reasonOf(undefined)).toMatchObject({ details: { error: 'undefined' } });
    const details = { path: '/data', value: 1n, reason: 'x' };
    expect(reasonOf(new MillraceError('event.invalid', 'bad', details))).toEqual({
      ...{ name: 'MillraceError', code: 'event.invalid', message: 'bad', details: {} },
    });
  });
});
