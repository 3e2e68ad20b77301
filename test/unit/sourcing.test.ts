import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  defineEvents,
  EventSourcing,
  EventStore,
  hostPorts,
  inlineProjection,
  makeEvent,
  openMemory,
  Projector,
  Reactor,
  Repository,
  type AggregateDefinition,
  type Draft,
  type Event,
  type Projection,
  type Query,
  type Storage,
} from 'millrace';

type CartEvent = Draft<'product.added', { readonly n: number }> | Draft<'cart.discarded', null>;
type Command = { readonly add: number } | 'discard';
interface Cart {
  readonly numbers: readonly number[];
}

const cart: AggregateDefinition<Cart, Command, CartEvent> = {
  name: 'cart',
  initialState: () => ({ numbers: [] }),
  decide: (command) =>
    command === 'discard'
      ? { type: 'cart.discarded', data: null }
      : { type: 'product.added', data: { n: command.add } },
  evolve: ({ numbers }, event) => ({
    numbers: event.type === 'product.added' ? [...numbers, event.data.n] : numbers,
  }),
  deletedBy: ['cart.discarded'],
};

/** Counts how many events are folded. */
function counting(snapshots?: { every: number; version?: number }) {
  const folded = { count: 0 };
  const definition: AggregateDefinition<Cart, Command, CartEvent> = {
    ...cart,
    evolve: (state, event) => {
      folded.count++;
      return cart.evolve(state, event);
    },
    snapshots,
  };
  return { folded, definition };
}

const options = { source: 'shop', ports: hostPorts };
const cartsOf = (storage: Storage, definition = cart, cache = 1000) =>
  new Repository(new EventStore(storage), definition, { ...options, cache });

async function fill(storage: Storage, count: number, id = '1'): Promise<void> {
  const carts = cartsOf(storage);
  for (let n = 1; n <= count; n++) await carts.execute(id, { add: n });
}

/** The storage with some of its methods replaced. */
function replaced(storage: Storage, methods: Partial<Storage>): Storage {
  return new Proxy(storage, {
    get: (target, name: keyof Storage) => methods[name] ?? target[name].bind(target as never),
  });
}

describe('a repository', () => {
  test('gives a new aggregate at version 0, and saves what it decides', async () => {
    const carts = cartsOf(openMemory());
    const aggregate = await carts.get('1');
    expect([aggregate.version, aggregate.state, aggregate.subject]).toEqual([
      0,
      { numbers: [] },
      'cart-1',
    ]);
    aggregate.execute({ add: 1 }, { correlationId: 'visit' });
    aggregate.execute({ add: 2 });
    expect([aggregate.version, aggregate.getEventsSince(1)]).toMatchObject([2, [{ data: { n: 2 } }]]);
    const saved = await carts.save(aggregate);
    expect(saved).toMatchObject([{ subject: 'cart-1', correlationId: 'visit' }, { source: 'shop' }]);
    expect([aggregate.pending, aggregate.version]).toEqual([[], 2]);
    expect((await carts.get('1')).state.numbers).toEqual([1, 2]);
    expect(await carts.save(aggregate)).toEqual([]);
  });

  test('decides anew after a conflict, on what has happened meanwhile', async () => {
    const storage = openMemory();
    const [ours, theirs] = [cartsOf(storage), cartsOf(storage)];
    const aggregate = await ours.get('1');
    aggregate.execute({ add: 1 });
    await theirs.execute('1', { add: 2 });
    await ours.save(aggregate);
    expect([aggregate.state.numbers, aggregate.version]).toEqual([[2, 1], 2]);
    expect((await theirs.rebuild('1')).state.numbers).toEqual([2, 1]);
  });

  test('throws the conflict where there is nothing to decide anew, or no retry left', async () => {
    const storage = openMemory();
    const carts = cartsOf(storage);
    const applied = await carts.get('1');
    applied.apply({ type: 'product.added', data: { n: 1 } });
    const decided = await carts.get('1');
    decided.execute({ add: 2 });
    await fill(storage, 1);
    const conflict = {
      code: 'version.conflict',
      details: { subject: 'cart-1', expected: 0, actual: 1 },
    };
    await expect(carts.save(applied)).rejects.toMatchObject(conflict);
    await expect(carts.save(decided, { retries: 0 })).rejects.toMatchObject(conflict);
  });

  test('knows what it has saved when the answer was lost', async () => {
    const storage = openMemory();
    let lose = true;
    const lossy = replaced(storage, {
      commit: (batch) => {
        const results = storage.commit(batch);
        if (lose) throw new Error('the answer was lost');
        return results;
      },
    });
    const carts = cartsOf(lossy);
    const aggregate = await carts.get('1');
    aggregate.execute({ add: 1 });
    await expect(carts.save(aggregate)).rejects.toThrow('lost');
    lose = false;
    await carts.save(aggregate);
    expect((await carts.rebuild('1')).state.numbers).toEqual([1]);
  });

  test('gives the state as of any version, and at any time', async () => {
    const storage = openMemory();
    const carts = cartsOf(storage, { ...cart, snapshots: { every: 2 } });
    for (const n of [1, 2, 3, 4, 5])
      await carts.execute('1', { add: n }, { event: { timestamp: n * 10 } });
    for (let version = 0; version <= 5; version++) {
      expect((await carts.getByVersion('1', version)).numbers).toHaveLength(version);
    }
    for (const version of [6, -1, 0.5]) {
      await expect(carts.getByVersion('1', version)).rejects.toMatchObject({
        code: 'version.missing',
        details: { subject: 'cart-1', asked: version, actual: 5 },
      });
    }
    const at = async (time: number) => (await carts.getByTime('1', time)).version;
    expect([await at(9), await at(10), await at(35), await at(99)]).toEqual([0, 1, 3, 5]);
    expect((await carts.getEventsSince('1', 3)).map(({ data }) => data)).toEqual([{ n: 4 }, { n: 5 }]);
  });

  test('takes no more commands once it is deleted, and its events stay', async () => {
    const carts = cartsOf(openMemory());
    await carts.execute('1', { add: 1 });
    await carts.execute('1', 'discard');
    const deleted = await carts.get('1');
    expect([deleted.deleted, deleted.version, deleted.state.numbers]).toEqual([true, 2, [1]]);
    await expect(carts.execute('1', { add: 2 })).rejects.toMatchObject({
      code: 'aggregate.deleted',
      details: { subject: 'cart-1' },
    });
    const gone = await carts.get('2');
    gone.apply({ type: 'cart.discarded', data: null });
    expect(() => gone.execute({ add: 1 })).toThrow('deleted');
  });

  test('keeps no more aggregates in memory than it may, the latest used', async () => {
    const storage = openMemory();
    for (const id of ['1', '2', '3']) await fill(storage, 3, id);
    const { folded, definition } = counting();
    const carts = cartsOf(storage, definition, 2);
    const foldedFor = async (id: string): Promise<number> => {
      folded.count = 0;
      await carts.get(id);
      return folded.count;
    };
    expect([await foldedFor('1'), await foldedFor('2'), await foldedFor('1')]).toEqual([3, 3, 0]);
    expect([await foldedFor('3'), await foldedFor('1'), await foldedFor('2')]).toEqual([3, 0, 3]);
    await cartsOf(storage).execute('2', { add: 4 });
    expect([await foldedFor('2'), (await carts.get('2')).state.numbers]).toEqual([1, [1, 2, 3, 4]]);
    const none = cartsOf(storage, definition, 0);
    await none.get('1');
    folded.count = 0;
    await none.get('1');
    expect(folded.count).toBe(3);
  });

  test('has data checked by the catalogue before it is applied', async () => {
    const schema = z.object({ n: z.number().max(9) });
    const catalogue = defineEvents({ 'product.added': schema }, { strict: true });
    const carts = new Repository(new EventStore(openMemory()), cart, { ...options, catalogue });
    const invalid = { code: 'event.invalid', details: { path: '/data/n' } };
    await expect(carts.execute('1', { add: 10 })).rejects.toMatchObject(invalid);
    await expect(carts.execute('1', 'discard')).rejects.toMatchObject({
      code: 'catalogue.unknown-type',
    });
    expect((await carts.get('1')).version).toBe(0);
  });

  test('refuses an event of another subject', async () => {
    const aggregate = await cartsOf(openMemory()).get('1');
    const other = { type: 'product.added', data: { n: 1 }, subject: 'cart-2' } as const;
    expect(() => aggregate.apply(other)).toThrow('cart-1');
  });
});

describe('snapshots', () => {
  const key = 'snapshot/cart/cart-1';

  test('are put every n events, in the commit of the events that they hold', async () => {
    const storage = openMemory();
    const carts = cartsOf(storage, { ...cart, snapshots: { every: 3 } });
    const versions: unknown[] = [];
    for (let n = 1; n <= 7; n++) {
      const before = (await storage.stats()).head;
      await carts.execute('1', { add: n });
      expect((await storage.stats()).head).toBe(before + 1);
      versions.push(((await storage.get(key)) as { version?: number } | undefined)?.version);
    }
    expect(versions).toEqual([undefined, undefined, 3, 3, 3, 6, 6]);
    const several = await carts.get('2');
    for (let n = 1; n <= 7; n++) several.execute({ add: n });
    await carts.save(several);
    expect(await storage.get('snapshot/cart/cart-2')).toMatchObject({ version: 7 });
  });

  test('spare the events that they hold, and no others', async () => {
    const storage = openMemory();
    const { folded, definition } = counting({ every: 4 });
    const carts = cartsOf(storage, definition);
    const first = await carts.get('1');
    for (let n = 1; n <= 5; n++) first.execute({ add: n });
    await carts.save(first);
    await cartsOf(storage, { ...cart }).execute('1', { add: 6 });
    folded.count = 0;
    const later = await cartsOf(storage, definition).get('1');
    expect([later.version, later.state.numbers, folded.count]).toEqual([6, [1, 2, 3, 4, 5, 6], 1]);
  });

  test('of another version are ignored, and replaced', async () => {
    const storage = openMemory();
    const old = cartsOf(storage, { ...cart, snapshots: { every: 2 } });
    for (let n = 1; n <= 4; n++) await old.execute('1', { add: n });
    const { folded, definition } = counting({ every: 2, version: 2 });
    expect((await cartsOf(storage, definition).get('1')).state.numbers).toEqual([1, 2, 3, 4]);
    expect(folded.count).toBe(4);
    expect(await storage.get(key)).toMatchObject({ shape: 2, version: 4 });
    folded.count = 0;
    await cartsOf(storage, definition).get('1');
    expect(folded.count).toBe(0);
  });

  test('stand in for events that were trimmed; where there are none, that is said', async () => {
    const storage = openMemory();
    const carts = cartsOf(storage, { ...cart, snapshots: { every: 4 } });
    for (let n = 1; n <= 6; n++) await carts.execute('1', { add: n });
    const fresh = () => cartsOf(storage, { ...cart, snapshots: { every: 4 } });
    for (const until of [3, 4]) {
      storage.trim(until);
      expect((await fresh().get('1')).state.numbers).toEqual([1, 2, 3, 4, 5, 6]);
      expect((await fresh().getByVersion('1', 5)).numbers).toEqual([1, 2, 3, 4, 5]);
    }
    const trimmed = { code: 'history.trimmed', details: { subject: 'cart-1' } };
    await expect(fresh().getByVersion('1', 3)).rejects.toMatchObject(trimmed);
    await expect(fresh().rebuild('1')).rejects.toMatchObject(trimmed);
    await expect(fresh().getEventsSince('1', 3)).rejects.toMatchObject(trimmed);
    expect(await fresh().getEventsSince('1', 4)).toHaveLength(2);
    storage.trim(5);
    await expect(fresh().get('1')).rejects.toMatchObject(trimmed);
    await expect(cartsOf(storage).get('1')).rejects.toMatchObject(trimmed);
    expect((await carts.get('1')).state.numbers).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('are taken through their own form of the state', async () => {
    const storage = openMemory();
    const sets: AggregateDefinition<Set<number>, number, CartEvent> = {
      name: 'cart',
      initialState: () => new Set(),
      decide: (n) => ({ type: 'product.added', data: { n } }),
      evolve: (set, event) => (event.type === 'product.added' ? new Set([...set, event.data.n]) : set),
      snapshots: {
        every: 1,
        encode: (set) => [...set],
        decode: (json) => new Set(json as number[]),
      },
    };
    const open = () => new Repository(new EventStore(storage), sets, options);
    await open().execute('1', 5);
    expect((await open().get('1')).state).toEqual(new Set([5]));
  });
});

describe('event sourcing', () => {
  test('applies events, gets and rebuilds aggregates of several kinds', async () => {
    const store = new EventStore(openMemory());
    const visits = { ...cart, name: 'visit' };
    const sourcing = new EventSourcing(store, { cart, visit: visits }, options);
    const event = (id: string, subject: string): Event =>
      makeEvent({
        ...{ id, subject, type: 'product.added', data: { n: 1 } },
        ...{ timestamp: 1, source: 'shop', priority: 2 },
      });
    await sourcing.apply(event('a', 'cart-1'));
    await sourcing.apply(event('b', 'visit-1'));
    await sourcing.apply(event('b', 'visit-1'));
    const state: Cart = (await sourcing.get('cart', '1')).state;
    expect(state.numbers).toEqual([1]);
    expect((await sourcing.rebuild('visit', '1')).version).toBe(1);
    expect(() => sourcing.get('order' as 'cart', '1')).toThrow('must be one of cart, visit');
  });
});

const sums = (name: string, more: Partial<Projection<number>> = {}): Projection<number> => ({
  name,
  types: ['product.added'],
  key: ({ subject }) => subject,
  initial: () => 0,
  evolve: (sum, { data }) => sum + (data as { n: number }).n,
  ...more,
});

describe('a projector', () => {
  test('folds documents by key behind the log, and says how far it is behind', async () => {
    const storage = openMemory();
    await fill(storage, 3, '1');
    await fill(storage, 2, '2');
    const projector = new Projector(new EventStore(storage), sums('sums'), { pageEvents: 2 });
    expect(await projector.get('cart-1')).toBeUndefined();
    expect((await projector.catchUp()).serving).toMatchObject({ position: 5, lag: 0 });
    expect(await projector.list()).toEqual([
      ['cart-1', 6],
      ['cart-2', 3],
    ]);
    expect(await projector.list({ after: 'cart-1', limit: 1 })).toEqual([['cart-2', 3]]);
    await fill(storage, 1, '3');
    expect((await projector.status()).serving).toMatchObject({ lag: 1 });
  });

  test('removes a document where evolve gives none', async () => {
    const storage = openMemory();
    await fill(storage, 3);
    const even = sums('even', {
      evolve: (sum, { data }) => ((data as { n: number }).n === 3 ? undefined : sum + 1),
    });
    const projector = new Projector(new EventStore(storage), even);
    await projector.catchUp();
    expect(await projector.list()).toEqual([]);
    await fill(storage, 1, '2');
    await projector.catchUp();
    expect(await projector.list()).toEqual([['cart-2', 1]]);
  });

  test('is rebuilt from zero while the old documents are read, and leaves none of them', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await fill(storage, 5);
    const old = new Projector(store, sums('sums'));
    await old.catchUp();
    const doubled = sums('sums', {
      version: 2,
      evolve: (sum, { data }) => sum + 2 * (data as { n: number }).n,
    });
    const next = new Projector(store, doubled, { pageEvents: 1 });
    const status = await next.catchUp({ limit: 2 });
    expect(status).toMatchObject({ building: { lag: 3 } });
    expect([await old.get('cart-1'), await next.get('cart-1')]).toEqual([15, 15]);
    await fill(storage, 1, '2');
    expect(await next.catchUp()).toMatchObject({ serving: { lag: 0 }, building: undefined });
    expect([await old.get('cart-1'), await next.get('cart-1')]).toEqual([30, 30]);
    expect(await storage.list('projection/sums/')).toHaveLength(2);
  });

  test('of the same definition goes on serving the latest while it is rebuilt', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await fill(storage, 3);
    const projector = new Projector(store, sums('sums'), { pageEvents: 1 });
    await projector.catchUp();
    await projector.rebuild({ limit: 1 });
    await fill(storage, 1, '2');
    await projector.catchUp({ limit: 1 });
    expect(await projector.list()).toEqual([
      ['cart-1', 6],
      ['cart-2', 1],
    ]);
    await projector.catchUp();
    expect(await storage.list('projection/sums/')).toHaveLength(2);
    expect((await projector.status()).building).toBeUndefined();
  });

  test('pauses with the event and the reason, stops no other, and the old one is read on', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await fill(storage, 4);
    const sound = new Projector(store, sums('sound'));
    const before = new Projector(store, sums('picky'));
    await before.catchUp();
    const picky = new Projector(
      store,
      sums('picky', {
        version: 2,
        evolve: (sum, { data }) => {
          const { n } = data as { n: number };
          if (n === 3) throw new Error('no threes');
          return sum + n;
        },
      }),
    );
    await Promise.all([sound.catchUp(), picky.catchUp()]);
    const [third] = (await store.read({ after: 2, limit: 1 })).events;
    const paused = { position: 3, id: third!.event.id, reason: 'no threes' };
    expect(await picky.status()).toMatchObject({ building: { position: 2, lag: 2, paused } });
    expect([await sound.get('cart-1'), await picky.get('cart-1')]).toEqual([10, 10]);
    await picky.resume({ skip: true });
    await picky.catchUp();
    expect(await picky.get('cart-1')).toBe(7);
  });

  test('builds what the store goes on folding inline, where the log has events already', async () => {
    const storage = openMemory();
    await fill(storage, 3);
    const store = new EventStore(storage, { inline: [inlineProjection(sums('sums'))] });
    const carts = new Repository(store, cart, options);
    const projector = new Projector(store, sums('sums'), { inline: true });
    await carts.execute('1', { add: 10 });
    expect(await projector.get('cart-1')).toBeUndefined();
    await projector.catchUp();
    expect(await projector.get('cart-1')).toBe(16);
    await carts.execute('1', { add: 100 });
    expect(await projector.get('cart-1')).toBe(116);
    await projector.catchUp();
    expect(await projector.get('cart-1')).toBe(116);
  });

  test('folded inline is there on an empty log at once, each event once', async () => {
    const storage = openMemory();
    const store = new EventStore(storage, { inline: [inlineProjection(sums('sums'))] });
    const projector = new Projector(store, sums('sums'), { inline: true });
    const carts = new Repository(store, cart, options);
    const [event] = await carts.execute('1', { add: 5 });
    expect(await projector.get('cart-1')).toBe(5);
    const again = await store.append([event!, event!]);
    expect(again).toMatchObject({ repeated: false, duplicates: 2 });
    expect(await projector.get('cart-1')).toBe(5);
  });

  /** Runs `meanwhile` once, before the first call that `when` picks. */
  function racing(
    storage: Storage,
    when: (call: string, given: unknown) => boolean,
    meanwhile: () => unknown,
  ) {
    let done = false;
    return new Proxy(storage, {
      get: (target, name: keyof Storage) => {
        const method = (target[name] as (...given: unknown[]) => unknown).bind(target);
        return async (...given: unknown[]) => {
          if (done || !when(name, given[0])) return method(...given);
          done = true;
          await meanwhile();
          return method(...given);
        };
      },
    });
  }
  const inlined = (storage: Storage) =>
    new EventStore(storage, { inline: [inlineProjection(sums('sums', { key: () => 'all' }))] });
  const all = sums('sums', { key: () => 'all' });

  test('folded inline loses nothing to an append that comes between its reading and its commit', async () => {
    const storage = openMemory();
    const other = new Repository(inlined(storage), cart, options);
    await other.execute('1', { add: 1 });
    const between = (call: string): boolean => call === 'commit';
    const slow = racing(storage, between, () => other.execute('2', { add: 10 }));
    await new Repository(inlined(slow), cart, options).execute('3', { add: 100 });
    expect(await new Projector(inlined(storage), all, { inline: true }).get('all')).toBe(111);
  });

  test('takes over from what is folded inline with nothing lost that comes in at the last moment', async () => {
    const storage = openMemory();
    const carts = new Repository(inlined(storage), cart, options);
    await carts.execute('1', { add: 1 });
    const switches = (call: string, given: unknown): boolean =>
      call === 'commit' && JSON.stringify(given).includes('"building":0');
    const slow = racing(storage, switches, () => carts.execute('2', { add: 10 }));
    const projector = new Projector(inlined(slow), all, { inline: true });
    await projector.rebuild();
    await projector.catchUp();
    expect(await projector.get('all')).toBe(11);
    expect((await projector.status()).building).toBeUndefined();
  });

  test('that is behind folds nothing into documents that another has put to use', async () => {
    const storage = openMemory();
    const carts = new Repository(inlined(storage), cart, options);
    await carts.execute('1', { add: 1 });
    const projector = new Projector(inlined(storage), all, { inline: true });
    await projector.rebuild({ limit: 0 });
    await carts.execute('1', { add: 10 });
    // Another projector finishes what this one builds, and an append is folded into it, while this one reads its page.
    const reads = (call: string, given: unknown): boolean =>
      call === 'read' && (given as Query).types !== undefined;
    const slow = racing(storage, reads, async () => {
      await projector.catchUp();
      await carts.execute('1', { add: 100 });
    });
    await new Projector(inlined(slow), all, { inline: true }).catchUp();
    expect(await projector.get('all')).toBe(111);
  });

  test('that is behind leaves nothing in documents that have had their day', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await fill(storage, 2);
    await new Projector(store, sums('sums')).catchUp();
    await fill(storage, 1, '2');
    const commits = (call: string, given: unknown): boolean =>
      call === 'commit' && JSON.stringify(given).includes('consumer/projection/sums/');
    const next = new Projector(store, sums('sums', { version: 2 }));
    const slow = racing(storage, commits, () => next.catchUp());
    await new Projector(new EventStore(slow), sums('sums')).catchUp({ limit: 1 });
    const generations = (await storage.list('projection/sums/')).map(([key]) => key.split('/')[2]);
    expect(new Set(generations).size).toBe(1);
  });

  test('reads the new documents where the old go while it reads', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await fill(storage, 3);
    const projector = new Projector(store, sums('sums'));
    await projector.catchUp();
    for (const method of ['get', 'list']) {
      const document = (call: string, given: unknown): boolean =>
        call === method && String(given).startsWith('projection/sums/');
      const slow = racing(storage, document, () => projector.rebuild());
      const reader = new Projector(new EventStore(slow), sums('sums'));
      const read = method === 'get' ? await reader.get('cart-1') : (await reader.list())[0]?.[1];
      expect(read).toBe(6);
    }
  });

  test('is refused a name that cannot be', () => {
    expect(() => new Projector(new EventStore(openMemory()), sums('No Name'))).toThrow('name');
    expect(() => inlineProjection(sums('a/b'))).toThrow('name');
  });
});

describe('a reactor', () => {
  const shipping = (more: object = {}) => ({
    name: 'shipping',
    types: ['product.added'],
    react: ({ data }: Event) => ({ commands: [(data as { n: number }).n] }),
    ...more,
  });

  test('delivers each command once with the commit that carries it out, though its answer is lost', async () => {
    const storage = openMemory();
    let lose = false;
    const lossy = replaced(storage, {
      commit: (batch) => {
        const results = storage.commit(batch);
        const packs = batch.some(({ events }) => events.some(({ subject }) => subject === 'parcel-1'));
        if (!lose || !packs) return results;
        lose = false;
        throw new Error('the answer was lost');
      },
    });
    const store = new EventStore(lossy);
    await fill(storage, 3);
    const parcels = new Repository(store, { ...cart, name: 'parcel' }, options);
    let tries = 0;
    const deliver = (n: number, { commit }: { commit: object }) => {
      lose = ++tries === 2;
      return parcels.execute('1', { add: n }, commit);
    };
    const reactor = new Reactor<number>(store, shipping({ deliver, types: ['product.added'] }));
    await reactor.catchUp({ limit: 3 });
    expect((await parcels.rebuild('1')).state.numbers).toEqual([1, 2, 3]);
  });

  test('gives other deliveries the same id at each try, and keeps what is refused as a dead letter', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await fill(storage, 3);
    const tried: string[] = [];
    let refuse = true;
    const deliver = (n: number, { id }: { id: string }): void => {
      tried.push(`${n} ${id}`);
      if (n === 2 && refuse) throw new Error('no twos');
    };
    const reactor = new Reactor<number>(store, shipping({ deliver, attempts: 2 }));
    await reactor.catchUp();
    expect(tried.map((text) => text.slice(0, 2).trim())).toEqual(['1', '2', '2', '3']);
    expect(tried[1]).toBe(tried[2]);
    const [dead] = await reactor.dead();
    expect(dead).toMatchObject({ command: 2, reason: 'no twos', attempts: 2 });
    refuse = false;
    expect([await reactor.redrive('unknown'), await reactor.redrive(dead!.id)]).toEqual([false, true]);
    await reactor.catchUp();
    expect([await reactor.dead(), tried.at(-1)]).toEqual([[], tried[1]]);
  });

  test('keeps commands in its outbox while the log fails', async () => {
    const storage = openMemory();
    const store = new EventStore(storage);
    await fill(storage, 2);
    let closed = true;
    const other = openMemory();
    const down = openMemory();
    down.close();
    const deliver = () => (closed ? down : other).read({} satisfies Query);
    const reactor = new Reactor<number>(store, shipping({ deliver }));
    await expect(reactor.catchUp()).rejects.toMatchObject({ code: 'storage.closed' });
    expect(await reactor.waiting()).toEqual([1, 2]);
    closed = false;
    await reactor.catchUp();
    expect([await reactor.waiting(), await reactor.dead()]).toEqual([[], []]);
  });

  test('pauses at an event that it cannot react to', async () => {
    const storage = openMemory();
    await fill(storage, 3);
    const react = ({ data }: Event) => {
      if ((data as { n: number }).n === 2) throw new Error('no twos');
      return undefined;
    };
    const reactor = new Reactor(new EventStore(storage), shipping({ react }));
    expect((await reactor.catchUp()).paused).toMatchObject({ position: 2, reason: 'no twos' });
    await reactor.resume({ skip: true });
    expect(await reactor.catchUp()).toMatchObject({ lag: 0, paused: undefined });
  });
});
