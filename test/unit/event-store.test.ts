import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  checkpointOf,
  Consumer,
  createEventFactory,
  defineEvents,
  EventStore,
  follow,
  groupCommits,
  hasCode,
  hostPorts,
  inlineProjection,
  makeEvent,
  MillraceError,
  openMemory,
  openSqlite,
  retain,
  runConsumers,
  typeOfVersion,
  Upcasters,
  type Event,
  type EventOptions,
  type Storage,
} from 'millrace';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';

const make = createEventFactory({ source: 'shop', ports: hostPorts });
const added = (n: number, options: EventOptions = {}): Event =>
  make('product.added', { n }, { subject: 'cart-1', ...options });
const numbers = (events: readonly { readonly event: Event }[]): number[] =>
  events.map(({ event }) => (event.data as { n: number }).n);

async function codeOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
  return 'no error';
}

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const each of all) list.push(each);
  return list;
}

const drivers: readonly (readonly [string, () => Storage])[] = [
  ['memory', () => openMemory()],
  ['SQLite', () => openSqlite(nodeSqlite(':memory:'))],
];

describe.each(drivers)('an event store over %s', (_name, open) => {
  test('appends to several subjects, all or nothing, and names the conflict', async () => {
    const store = new EventStore(open());
    await store.append([added(1), added(2, { subject: 'cart-2' })], {
      expect: [
        { subject: 'cart-1', version: 'none' },
        { subject: 'cart-2', version: 0 },
      ],
    });
    const refused = store.append.bind(store, [added(3), added(4, { subject: 'cart-2' })], {
      expect: [
        { subject: 'cart-1', version: 1 },
        { subject: 'cart-2', version: 0 },
      ],
      put: [['k', 1]],
    });
    await expect((async () => refused())()).rejects.toMatchObject({
      code: 'version.conflict',
      details: { subject: 'cart-2', expected: 0, actual: 1 },
    });
    expect([await store.version('cart-1'), await store.get('k')]).toEqual([1, undefined]);
  });

  test('acknowledges the same event again, and refuses other content under its id', async () => {
    const store = new EventStore(open());
    const event = added(1);
    await store.append(event, { expect: [{ subject: 'cart-1', version: 0 }] });
    const again = await store.append(event, { expect: [{ subject: 'cart-1', version: 0 }] });
    expect(again).toMatchObject({ repeated: true, positions: [1] });
    expect(await codeOf(() => store.append(added(2, { id: event.id })))).toBe('event.conflict');
    expect((await store.storage.stats()).events).toBe(1);
  });

  test('knows within one batch what an earlier commit of it has stored', async () => {
    const storage = open();
    const [a, b, c] = [added(1), added(2), added(3)];
    const other = makeEvent({ ...b, data: { n: 9 } });
    await storage.commit([{ events: [c] }]);
    const results = await storage.commit([
      { events: [a, b], expect: [{ subject: 'cart-1', version: 1 }] },
      { events: [b, c, a] },
      { events: [other] },
      { events: [added(4)], expect: [{ subject: 'cart-1', version: 3 }] },
    ]);
    expect(results).toMatchObject([
      { ok: true, positions: [2, 3], duplicates: 0 },
      { ok: true, positions: [3, 1, 2], duplicates: 3 },
      { ok: false, error: { code: 'event.conflict' } },
      { ok: true, positions: [4] },
    ]);
  });

  test('finds by id, by type the latest first, by correlation in order, and by time', async () => {
    const store = new EventStore(open());
    const events = [1, 2, 3, 4, 5].map((n) =>
      n % 2 === 1
        ? added(n, { correlationId: 'visit', timestamp: n * 1000 })
        : make('page.viewed', { n }, { correlationId: 'visit', timestamp: n * 1000 }),
    );
    await store.append(events);
    expect((await store.getById(events[2]!.id))?.position).toBe(3);
    expect(await store.getById('unknown')).toBeUndefined();
    expect(numbers(await store.getByType('product.added', { limit: 2 }))).toEqual([5, 3]);
    expect(await store.getByType('product.added', { limit: 0 })).toEqual([]);
    expect(numbers(await store.getByCorrelationId('visit'))).toEqual([1, 2, 3, 4, 5]);
    expect(numbers(await store.getSince(3000))).toEqual([3, 4, 5]);
    expect(numbers(await store.getSince(3000, { types: ['page.viewed'] }))).toEqual([4]);
    expect(numbers(await store.getSince(0, { limit: 2, after: 1 }))).toEqual([2, 3]);
  });

  test.each([1, 2, 3, 100])('iterates forwards and backwards by pages of %i', async (limit) => {
    const store = new EventStore(open());
    for (let n = 1; n <= 7; n++) await store.append(added(n, { subject: `cart-${n % 2}` }));
    expect(numbers(await collect(store.events({ limit })))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const back = { limit, direction: 'backward', subject: 'cart-1' } as const;
    expect(numbers(await collect(store.events(back)))).toEqual([7, 5, 3, 1]);
    expect(numbers(await collect(store.events({ limit, after: 2, before: 6 })))).toEqual([3, 4, 5]);
  });

  test('gives a group of concurrent appends each its own outcome', async () => {
    const store = new EventStore(groupCommits(open()));
    const outcomes = await Promise.all(
      [0, 0, 1].map((version, n) =>
        codeOf(() => store.append(added(n), { expect: [{ subject: 'cart-1', version }] })),
      ),
    );
    expect(outcomes).toEqual(['no error', 'version.conflict', 'no error']);
  });

  test('follows from a position, through what is there and what comes, with no gap and no repeat', async () => {
    const store = new EventStore(open());
    await store.append([1, 2, 3].map((n) => added(n)));
    const controller = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      const options = { after: 1, limit: 2, types: ['product.added'], ports: hostPorts };
      for await (const { event } of follow(store, { ...options, signal: controller.signal })) {
        const [n = 0] = numbers([{ event }]);
        seen.push(n);
        // Appends while it follows: from inside its own loop, which a hint taken late would lose.
        if (n < 20) await store.append([added(n + 100), make('page.viewed', {})]);
        if (n === 119) controller.abort();
      }
    })();
    for (let n = 4; n < 20; n++) await store.append(added(n));
    await following;
    const logged = numbers(await collect(store.events({ types: ['product.added'], after: 1 })));
    expect(seen).toEqual(logged.slice(0, seen.length));
    expect(seen).toContain(119);
  });
});

test('a follower asks again where no hint comes', async () => {
  const storage = openMemory();
  const store = new EventStore({ ...bound(storage), onCommit: () => () => {} });
  const controller = new AbortController();
  const seen: number[] = [];
  const options = { ports: hostPorts, pollMs: 1, signal: controller.signal };
  const following = (async () => {
    for await (const stored of follow(store, options)) {
      seen.push(...numbers([stored]));
      if (seen.length === 2) controller.abort();
    }
  })();
  await store.append(added(1));
  await new Promise((resolve) => setTimeout(resolve, 5));
  await store.append(added(2));
  await following;
  expect(seen).toEqual([1, 2]);
});

test('a follower misses no commit that falls between its page and its wait', async () => {
  const storage = openMemory();
  let late = 0;
  const racing: Storage = {
    ...bound(storage),
    read: (query) => {
      const page = storage.read(query);
      if (late++ === 0) storage.commit([{ events: [added(1)] }]);
      return page;
    },
  };
  const never = { after: () => () => {} };
  for await (const stored of follow(new EventStore(racing), { ports: never })) {
    expect(numbers([stored])).toEqual([1]);
    break;
  }
});

test('a follower of a rare type reads nothing twice', async () => {
  const storage = openMemory();
  const asked: unknown[] = [];
  const watched: Storage = {
    ...bound(storage),
    read: (query) => {
      asked.push(query.after);
      return storage.read(query);
    },
  };
  const store = new EventStore(watched);
  await store.append([added(1), added(2)]);
  const controller = new AbortController();
  const options = { types: ['page.viewed'], ports: hostPorts, signal: controller.signal };
  const following = (async () => {
    for await (const _ of follow(store, options)) controller.abort();
  })();
  await expect.poll(() => asked.length).toBe(1);
  await store.append(added(3));
  await expect.poll(() => asked.length).toBe(2);
  await store.append(make('page.viewed', {}));
  await following;
  expect(asked).toEqual([0, 2, 3]);
});

test('a follower that is given up lets go of the log', async () => {
  let listeners = 0;
  const storage = openMemory();
  const counted: Storage = {
    ...bound(storage),
    onCommit: (listener) => {
      listeners++;
      const undo = storage.onCommit(listener);
      return () => {
        listeners--;
        undo();
      };
    },
  };
  const store = new EventStore(counted);
  await store.append([added(1), added(2)]);
  for await (const _ of follow(store, { ports: hostPorts })) break;
  expect(listeners).toBe(0);
});

/** A storage's methods as own properties, to be replaced one by one. */
function bound(storage: Storage): Storage {
  return new Proxy({} as Storage, {
    get: (_, name: keyof Storage) => storage[name].bind(storage as never),
    ownKeys: () => METHODS,
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  });
}
const METHODS = [
  ...['commit', 'read', 'get', 'list', 'producer', 'version'],
  ...['trim', 'compact', 'stats', 'onCommit', 'close'],
];

test('each event is checked, whatever the one before it was', () => {
  added(1);
  for (const type of ['', '\0', 't'.repeat(257), undefined as unknown as string]) {
    expect(() => make(type, {})).toThrow('type');
  }
  added(2);
  for (const source of ['', '\ud800']) expect(() => added(3, { source })).toThrow('source');
});

describe('a catalogue', () => {
  const shop = defineEvents(
    { 'product.added': z.object({ n: z.number().default(7) }) },
    { strict: true },
  );

  test('has unknown types and refused data refused, by name', async () => {
    const store = new EventStore(openMemory(), { catalogue: shop });
    await expect((async () => store.append(make('page.viewed', {})))()).rejects.toMatchObject({
      code: 'catalogue.unknown-type',
      details: { type: 'page.viewed' },
    });
    const wrong = make('product.added', { n: 'many' });
    await expect((async () => store.append([added(1), wrong]))()).rejects.toMatchObject({
      code: 'event.invalid',
      details: { path: '/data/n' },
    });
    expect((await store.storage.stats()).events).toBe(0);
  });

  test('has the data stored as its schema returns it', async () => {
    const store = new EventStore(openMemory(), { catalogue: shop });
    await store.append(make('product.added', { other: 1 }));
    expect((await store.read({})).events[0]!.event.data).toEqual({ n: 7 });
  });

  test('names as personal only types that it has', () => {
    const schemas = { 'product.added': z.object({}) };
    const personal = ['page.viewed' as 'product.added'];
    expect(() => defineEvents(schemas, { personal })).toThrow('page.viewed');
  });
});

describe('upcasters', () => {
  const upcasters = [
    {
      type: 'order.placed',
      version: 1,
      upcast: (data: { total: number }) => ({ cents: data.total * 100 }),
    },
    {
      type: 'order.placed',
      version: 2,
      upcast: (data: { cents: number }) => ({ ...data, currency: 'EUR' }),
    },
  ];

  test('read every old version as today’s, and find all of them by any name', async () => {
    const storage = openMemory();
    const store = new EventStore(storage, { upcasters });
    await store.append([
      make('order.placed', { total: 3 }),
      make('order.placed.v2', { cents: 400 }),
      make('order.placed.v3', { cents: 500, currency: 'USD' }),
      make('page.viewed', {}),
    ]);
    for (const type of ['order.placed', 'order.placed.v2', 'order.placed.v3']) {
      const found = await store.getByType(type);
      expect(found.map(({ event }) => [event.type, event.data])).toEqual([
        ['order.placed.v3', { cents: 500, currency: 'USD' }],
        ['order.placed.v3', { cents: 400, currency: 'EUR' }],
        ['order.placed.v3', { cents: 300, currency: 'EUR' }],
      ]);
    }
    const [first] = (await store.read({ limit: 1 })).events;
    expect(JSON.parse(first!.line)).toMatchObject({ type: 'order.placed', data: { total: 3 } });
    expect((await storage.read({ limit: 1 })).events[0]!.event.type).toBe('order.placed');
  });

  test('that throw are named, and the events before and behind stay readable', async () => {
    const broken = {
      type: 'order.placed',
      version: 1,
      upcast: (data: { total?: number }) => {
        if (data.total === undefined) throw new Error('no total');
        return data;
      },
    };
    const store = new EventStore(openMemory(), { upcasters: [broken] });
    const bad = make('order.placed', {});
    await store.append([added(1), bad, added(3), make('order.placed', { total: 4 })]);
    const seen: unknown[] = [];
    const failure = await (async () => {
      for await (const { position } of store.events()) seen.push(position);
    })().catch((error: unknown) => error);
    expect(seen).toEqual([1]);
    expect(failure).toMatchObject({
      code: 'upcast.failed',
      details: { type: 'order.placed', version: 1, id: bad.id, position: 2, reason: 'no total' },
    });
    expect((await collect(store.events({ after: 2 }))).map(({ position }) => position)).toEqual([3, 4]);
    const back = collect(store.events({ direction: 'backward', before: 2 }));
    expect((await back).map(({ position }) => position)).toEqual([1]);
  });

  test('make a chain without a hole, each step once', () => {
    const upcast = (data: unknown): unknown => data;
    const step = (version: number) => ({ type: 'a.b', version, upcast });
    expect(() => new Upcasters([step(2)])).toThrow('version 1 has no upcaster');
    expect(() => new Upcasters([step(1), step(1)])).toThrow('two upcasters');
    expect(typeOfVersion('a.b', 1)).toBe('a.b');
    expect(typeOfVersion('a.b', 2)).toBe('a.b.v2');
  });
});

describe('a consumer', () => {
  test('commits what it makes with its checkpoint, and goes on where it was', async () => {
    const store = new EventStore(openMemory());
    await store.append([1, 2, 3, 4, 5].map((n) => added(n)));
    const definition = {
      name: 'doubler',
      types: ['product.added'],
      handle: (events: readonly { event: Event }[]) => ({
        events: numbers(events).map((n) => make('product.doubled', { n: n * 2 })),
        put: [['last', numbers(events).at(-1)!]] as const,
      }),
    };
    const status = await new Consumer(store, definition, { pageEvents: 2 }).catchUp();
    expect(status).toMatchObject({ lag: 0, paused: undefined });
    await store.append(added(6));
    expect(await new Consumer(store, definition).status()).toMatchObject({ lag: 1 });
    const both = [new Consumer(store, definition), new Consumer(store, definition)];
    await Promise.all(both.map((consumer) => consumer.catchUp()));
    expect(numbers((await store.getByType('product.doubled')).toReversed())).toEqual([
      2, 4, 6, 8, 10, 12,
    ]);
    expect(await store.get('last')).toBe(6);
  });

  test('pauses at the event that it cannot take, keeps the reason, and goes on when it is told', async () => {
    const store = new EventStore(openMemory());
    await store.append([1, 2, 3, 4, 5].map((n) => added(n)));
    let mended = false;
    const taken: number[] = [];
    const definition = {
      name: 'picky',
      handle: (events: readonly { event: Event }[]) => {
        if (numbers(events).includes(4) && !mended) throw new Error('no fours');
        return { put: numbers(events).map((n) => [`taken/${n}`, n] as const) };
      },
    };
    const consumer = new Consumer(store, definition);
    const status = await consumer.catchUp();
    expect(status).toMatchObject({ position: 3, lag: 2, paused: { position: 4, reason: 'no fours' } });
    const [fourth] = (await store.read({ after: 3, limit: 1 })).events;
    expect(status.paused?.id).toBe(fourth!.event.id);
    expect((await store.storage.list('taken/')).map(([, n]) => n)).toEqual([1, 2, 3]);
    expect((await new Consumer(store, definition).catchUp()).paused).toBeDefined();
    await consumer.resume();
    expect((await consumer.catchUp()).paused).toMatchObject({ position: 4 });
    await consumer.resume({ skip: true });
    expect(await consumer.catchUp()).toMatchObject({ position: 5, lag: 0, paused: undefined });
    expect(await consumer.skipped()).toMatchObject([{ position: 4, reason: 'no fours' }]);
    expect((await store.storage.list('taken/')).map(([, n]) => n)).toEqual([1, 2, 3, 5]);
    mended = true;
    expect(taken).toEqual([]);
  });

  test('pauses at an event that cannot be read, behind all that can', async () => {
    const broken = {
      type: 'order.placed',
      version: 1,
      upcast: (): unknown => {
        throw new Error('not today');
      },
    };
    const store = new EventStore(openMemory(), { upcasters: [broken] });
    await store.append([added(1), added(2), make('order.placed', {}), added(4)]);
    const handle = (events: readonly { event: Event }[]) => ({
      put: numbers(events).map((n) => [`taken/${n}`, n] as const),
    });
    const consumer = new Consumer(store, { name: 'reader', handle });
    expect(await consumer.catchUp()).toMatchObject({
      position: 2,
      paused: { position: 3, code: 'upcast.failed' },
    });
    await consumer.resume({ skip: true });
    expect((await consumer.catchUp()).position).toBe(4);
    expect((await store.storage.list('taken/')).map(([, n]) => n)).toEqual([1, 2, 4]);
  });

  test('gives up on what is refused each time, and on a log that fails, with the error', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await store.append(added(1));
    const never = { expect: [{ subject: 'cart-1', version: 9 }] } as const;
    const refused = new Consumer(store, { name: 'refused', handle: () => never });
    expect(await codeOf(() => refused.catchUp())).toBe('version.conflict');
    storage.close();
    expect(await codeOf(() => refused.catchUp())).toBe('storage.closed');
  });

  test('is not paused by a log that fails, and goes on when it is back', async () => {
    const storage = openMemory();
    let failures = 0;
    const failing: Storage = {
      ...bound(storage),
      commit: (batch) => {
        if (failures-- <= 0) return storage.commit(batch);
        throw new MillraceError('storage.failed', 'down', { log: 'memory', operation: 'write' });
      },
    };
    const store = new EventStore(failing);
    await store.append(added(1));
    const consumer = new Consumer(store, { name: 'patient', handle: () => ({}) });
    // Once: what would be kept about a pause would be kept.
    failures = 1;
    expect(await codeOf(() => consumer.catchUp())).toBe('storage.failed');
    expect(await consumer.catchUp()).toMatchObject({ position: 1, paused: undefined });
  });

  test('is not paused by what another of its name has passed since', async () => {
    const store = new EventStore(openMemory());
    await store.append([added(1), added(2)]);
    const consumer = new Consumer(store, { name: 'two', handle: () => ({}) });
    await consumer.catchUp();
    await store.append(added(3), { put: [['consumer/two', { position: 1, reason: 'of old' }]] });
    expect(await consumer.catchUp()).toMatchObject({ position: 3, paused: undefined });
  });

  test('is kept caught up while it runs, through failures, until it is stopped', async () => {
    const storage = openMemory();
    let failures = 2;
    const failing: Storage = {
      ...bound(storage),
      read: (query) => {
        if (failures-- > 0) throw new Error('a bad moment');
        return storage.read(query);
      },
    };
    const store = new EventStore(failing);
    const errors: unknown[] = [];
    const put = (events: readonly { event: Event }[]) => ({
      put: [['last', numbers(events).at(-1)!]] as const,
    });
    const ports = { ...hostPorts, after: (_: number, run: () => void) => hostPorts.after(1, run) };
    const onError = (error: unknown): unknown => errors.push(error);
    const consumer = new Consumer(store, { name: 'live', handle: put });
    const stop = runConsumers(storage, [consumer], { ports, onError: (error) => void onError(error) });
    for (let n = 1; n <= 3; n++) {
      await store.append(added(n));
      await expect.poll(() => store.get('last')).toBe(n);
    }
    expect(errors).toHaveLength(2);
    stop();
    await store.append(added(4));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await store.get('last')).toBe(3);
  });
});

describe('retention', () => {
  const day = 86_400_000;
  async function filled(): Promise<Storage> {
    const storage = openMemory();
    const store = new EventStore(storage);
    for (let n = 1; n <= 10; n++) await store.append(added(n, { timestamp: n * day }));
    return storage;
  }
  const at = (days: number) => ({ ports: { now: () => days * day } });

  test('by count, by age and by size keeps what is newest', async () => {
    expect(await retain(await filled(), { maxEvents: 3 }, at(20))).toMatchObject({
      forgotten: 7,
      trimmed: 7,
    });
    expect(await retain(await filled(), { maxAgeMs: 4 * day }, at(10))).toMatchObject({ trimmed: 5 });
    const storage = await filled();
    const { bytes } = await storage.stats();
    await retain(storage, { maxBytes: bytes * 0.45 }, at(10));
    const left = await storage.stats();
    expect(left).toMatchObject({ events: 4, head: 10 });
    expect(left.bytes).toBeLessThanOrEqual(bytes * 0.45);
    expect(await retain(storage, {}, at(99))).toMatchObject({ forgotten: 0 });
    expect(await retain(storage, { maxEvents: 0 }, at(99))).toMatchObject({ forgotten: 4 });
    expect(await storage.version('cart-1')).toBe(10);
  });

  test('stops at the first event that is young enough, however old the next', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    for (const days of [1, 9, 2, 9]) await store.append(added(days, { timestamp: days * day }));
    expect(await retain(storage, { maxAgeMs: 5 * day }, at(10))).toMatchObject({ trimmed: 1 });
  });

  test('forgets nothing that a consumer has yet to read, and says for whom', async () => {
    const storage = await filled();
    const store = new EventStore(storage);
    await new Consumer(store, { name: 'slow', handle: () => ({}) }).catchUp({ limit: 4 });
    const keepFor = [checkpointOf('slow')];
    const held = await retain(storage, { maxEvents: 1 }, { ...at(20), keepFor });
    expect(held).toEqual({ forgotten: 4, trimmed: 4, heldFor: 'consumer/slow' });
  });
});

describe('a damaged segment', () => {
  test('is named by the event’s position, and what else is committed stays readable', async () => {
    const database = nodeSqlite(':memory:');
    const store = new EventStore(openSqlite(database));
    for (let n = 1; n <= 3; n++) await store.append(added(n));
    database.exec('UPDATE log_segment SET lines = zeroblob(length(lines)) WHERE first = 2');
    const seen: number[] = [];
    const failure = await (async () => {
      for await (const stored of store.events()) seen.push(stored.position);
    })().catch((error: unknown) => error);
    expect(seen).toEqual([1]);
    expect(hasCode(failure, 'storage.corrupt') && failure.details.position).toBe(2);
    expect((await collect(store.events({ after: 2 }))).map(({ position }) => position)).toEqual([3]);
    const handle = (events: readonly { event: Event }[]) => ({
      put: numbers(events).map((n) => [`taken/${n}`, n] as const),
    });
    const consumer = new Consumer(store, { name: 'reader', handle });
    expect((await consumer.catchUp()).paused).toMatchObject({ position: 2, code: 'storage.corrupt' });
    await consumer.resume({ skip: true });
    expect(await consumer.catchUp()).toMatchObject({ position: 3, paused: undefined });
  });
});

test('an inline projection that throws refuses the append, names the event, and stores nothing', async () => {
  const picky = inlineProjection<number>({
    name: 'picky',
    key: () => 'all',
    initial: () => 0,
    evolve: (sum, { data }) => {
      const { n } = data as { n: number };
      if (n === 2) throw new Error('no twos');
      return sum + n;
    },
  });
  const store = new EventStore(openMemory(), { inline: [picky] });
  await store.append(added(1));
  const two = added(2);
  await expect((async () => store.append([added(3), two]))()).rejects.toMatchObject({
    code: 'projection.failed',
    details: { projection: 'picky', id: two.id, reason: 'no twos' },
  });
  await store.append(added(5));
  expect(await store.get('projection/picky/1/all')).toBe(6);
});
