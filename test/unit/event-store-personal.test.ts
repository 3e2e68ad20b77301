import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import {
  defineEvents,
  createEventFactory,
  EventStore,
  hostPorts,
  isErased,
  openMemory,
  openSqlite,
  PersonalData,
  inlineProjection,
  Projector,
  Repository,
  SUBJECT_ERASED,
  webCryptoCipher,
  type AggregateDefinition,
  type Projection,
  type Draft,
  type Storage,
} from 'millrace';

const catalogue = defineEvents(
  { 'customer.registered': z.object({ name: z.string() }), 'customer.greeted': z.object({}) },
  { personal: ['customer.registered'] },
);
const make = createEventFactory({ source: 'shop', ports: hostPorts });
const cipher = webCryptoCipher(crypto.subtle);

function open(storage: Storage = openMemory(), keys: Storage = storage): EventStore {
  const personal = new PersonalData({ cipher, keys, ports: hostPorts });
  return new EventStore(storage, { catalogue, personal });
}

const registered = (name: string, subject = 'customer-1', id?: string) =>
  make('customer.registered', { name }, { subject, id });

const dataOf = async (store: EventStore): Promise<unknown[]> =>
  (await store.read({})).events.map(({ event }) => event.data);

describe('personal data', () => {
  test('is sealed at rest and read as it was, and other types are left as they are', async () => {
    const store = open();
    await store.append([
      registered('Ada Lovelace'),
      make('customer.greeted', {}, { subject: 'customer-1' }),
    ]);
    expect(await dataOf(store)).toEqual([{ name: 'Ada Lovelace' }, {}]);
    const [sealed, plain] = (await store.storage.read({})).events;
    expect(sealed!.line).not.toContain('Ada');
    expect(sealed!.event.type).toBe('customer.registered');
    expect(plain!.event.data).toEqual({});
    expect((await store.getById(sealed!.event.id))?.event.data).toEqual({ name: 'Ada Lovelace' });
  });

  test('is erased for good with its key, and every position stays', async () => {
    const [storage, keys] = [openMemory(), openMemory()];
    const store = open(storage, keys);
    await store.append([registered('Ada'), registered('Bob', 'customer-2'), registered('Eve')]);
    const before = await storage.read({});
    const forgotten = make('customer.greeted', {}, { subject: 'customer-1' });
    expect(await store.erase('customer-1', [forgotten])).toBe(true);
    expect(await store.erase('customer-1', [forgotten])).toBe(false);
    expect(await store.erase('nobody')).toBe(false);
    const { events } = await store.read({});
    expect(events.map(({ position, event }) => [position, event.type, isErased(event)])).toEqual([
      [1, 'customer.registered', true],
      [2, 'customer.registered', false],
      [3, 'customer.registered', true],
      [4, SUBJECT_ERASED, false],
      [5, 'customer.greeted', false],
      [6, SUBJECT_ERASED, false],
    ]);
    expect((await storage.read({ before: 4 })).events).toMatchObject(
      before.events.map(({ position, line }) => ({ position, line })),
    );
    expect((await keys.list('')).map(([key]) => key)).toEqual(['subject-key/customer-2']);
    await store.append(registered('Ada again'));
    expect((await dataOf(store)).at(-1)).toEqual({ name: 'Ada again' });
    expect((await dataOf(store))[0]).toEqual({ $erased: true });
  });

  test('is known when the same event comes again, whatever the order of its keys', async () => {
    const wide = defineEvents(
      { 'customer.registered': z.looseObject({ name: z.string() }) },
      { personal: ['customer.registered'] },
    );
    const storage = openMemory();
    const personal = new PersonalData({ cipher, keys: storage, ports: hostPorts });
    const store = new EventStore(storage, { catalogue: wide, personal });
    const event = make('customer.registered', { name: 'Ada', age: 36 }, { subject: 'c', id: 'x' });
    const { timestamp } = event;
    await store.append(event);
    const turned = { age: 36, name: 'Ada' };
    const again = make('customer.registered', turned, { subject: 'c', id: 'x', timestamp });
    expect(await store.append(again)).toMatchObject({ duplicates: 1 });
    const other = make('customer.registered', { name: 'Eve' }, { subject: 'c', id: 'x', timestamp });
    await expect(store.append(other)).rejects.toMatchObject({ code: 'event.conflict' });
  });

  test('gets one key however many write first, and loses nothing', async () => {
    const storage = openMemory();
    const stores = [open(storage), open(storage), open(storage)];
    await Promise.all(stores.map((store, n) => store.append(registered(`name ${n}`))));
    const names = (await dataOf(open(storage))).map((data) => (data as { name: string }).name);
    expect(names.toSorted()).toEqual(['name 0', 'name 1', 'name 2']);
  });

  test('never meets a nonce twice with two texts, and a value made under an older key is not kept', async () => {
    const key = crypto.getRandomValues(new Uint8Array(cipher.keyBytes));
    const nonce = async (context: string, text: string) =>
      (await cipher.seal(key, context, text)).slice(0, 12).join();
    expect(await nonce('a', 'x')).toBe(await nonce('a', 'x'));
    const nonces = [nonce('a', 'x'), nonce('a', 'y'), nonce('b', 'x'), nonce('ax', ''), nonce('', 'ax')];
    expect(new Set(await Promise.all(nonces)).size).toBe(5);
    const personal = new PersonalData({ cipher, keys: openMemory(), ports: hostPorts });
    const old = await personal.ensureKey('c');
    await personal.forget('c');
    const current = await personal.ensureKey('c');
    expect(current).toBeGreaterThan(old);
    expect(await personal.sealValue('c', old, 'k', 'state')).toBeUndefined();
    const sealed = await personal.sealValue('c', current, 'k', 'state');
    expect(await personal.openValue('c', 'k', sealed!)).toBe('state');
    expect(await personal.openValue('c', 'other', sealed!)).toBeUndefined();
    await personal.forget('c');
    expect(await personal.openValue('c', 'k', sealed!)).toBeUndefined();
    expect(await personal.sealValue('c', 0, 'k', 'state')).toBe('state');
  });

  test('needs a subject, of a length that a key can have', async () => {
    const store = open();
    const nobody = make('customer.registered', { name: 'Ada' });
    await expect(store.append(nobody)).rejects.toMatchObject({ details: { path: '/subject' } });
    const long = registered('Ada', 'c'.repeat(241));
    await expect(store.append(long)).rejects.toMatchObject({ code: 'limit.exceeded' });
  });

  test('that was sealed elsewhere, or moved to another event, is named, and the rest is read', async () => {
    const storage = openMemory();
    const store = open(storage);
    await store.append([registered('Ada'), registered('Eve')]);
    const [first] = (await storage.read({})).events;
    const moved = make('customer.registered', first!.event.data, { subject: 'customer-1' });
    await storage.commit([{ events: [moved, make('customer.greeted', {})] }]);
    const seen: number[] = [];
    const failure = await (async () => {
      for await (const { position } of store.events()) seen.push(position);
    })().catch((error: unknown) => error);
    expect(seen).toEqual([1, 2]);
    expect(failure).toMatchObject({
      code: 'seal.broken',
      details: { subject: 'customer-1', id: moved.id, position: 3 },
    });
    expect((await store.read({ after: 3 })).events).toHaveLength(1);
  });

  test('leaves states, snapshots and projections when it is erased', async () => {
    type Registered = Draft<'customer.registered', { name: string }>;
    const customer: AggregateDefinition<readonly string[], string, Registered> = {
      name: 'customer',
      initialState: () => [],
      decide: (name) => ({ type: 'customer.registered', data: { name } }),
      evolve: (names, { data }) => [...names, data.name],
      snapshots: { every: 1 },
    };
    const storage = openMemory();
    const store = open(storage);
    const customers = new Repository(store, customer, { source: 'shop', ports: hostPorts });
    await customers.execute('1', 'Ada');
    expect(JSON.stringify(await storage.get('snapshot/customer/customer-1'))).not.toContain('Ada');
    await customers.execute('1', 'Eve');
    const fresh = () => new Repository(store, customer, { source: 'shop', ports: hostPorts });
    expect((await fresh().get('1')).state).toEqual(['Ada', 'Eve']);
    const projector = new Projector<string>(store, {
      name: 'names',
      key: ({ subject }) => subject,
      initial: () => '',
      evolve: (names, { data }) => `${names} ${(data as { name: string }).name}`,
    });
    await projector.catchUp();
    await store.erase('customer-1');
    for (const repository of [customers, fresh()]) {
      const { state, version } = await repository.get('1');
      expect([state, version]).toEqual([[], 2]);
    }
    await customers.execute('1', 'Bob');
    expect((await fresh().get('1')).state).toEqual(['Bob']);
    expect((await fresh().get('1')).version).toBe(3);
    // What was folded elsewhere is folded anew once it hears of it.
    await projector.catchUp();
    expect(await projector.get('customer-1')).toBe(' Bob');
    expect(JSON.stringify(await storage.list(''))).not.toContain('Ada');
  });
});

describe('an erasure', () => {
  const nameOf = ({ data }: { readonly data: unknown }): string => (data as { name: string }).name;
  const names: Projection<readonly string[]> = {
    name: 'names',
    types: ['customer.registered'],
    key: () => 'all',
    initial: () => [],
    evolve: (all, event) => [...all, nameOf(event)],
  };
  /** One document a customer, so that it is known what goes. */
  const bySubject: Projection<string> = {
    ...{ name: 'by-subject', types: ['customer.registered'], initial: () => '' },
    key: ({ subject }) => subject,
    evolve: (_, event) => nameOf(event),
    onErased: { key: (subject) => subject },
  };
  const greeted: Projection<number> = {
    ...{ name: 'greeted', types: ['customer.greeted'], initial: () => 0 },
    key: () => 'all',
    evolve: (count) => count + 1,
  };

  test('has a projection of personal types folded anew, and no other', async () => {
    const storage = openMemory();
    const store = open(storage);
    const [projector, count] = [new Projector(store, names), new Projector(store, greeted)];
    const generations = async () => await storage.get('projection/greeted');
    await store.append([registered('Ada'), registered('Bob', 'customer-2')]);
    await store.append(make('customer.greeted', {}));
    await projector.catchUp();
    await count.catchUp();
    const before = await generations();
    expect(await projector.get('all')).toEqual(['Ada', 'Bob']);
    await store.erase('customer-1');
    // Another one of it is at work, with documents of before.
    await Promise.all([projector.catchUp(), new Projector(store, names).catchUp(), count.catchUp()]);
    expect(await projector.get('all')).toEqual(['Bob']);
    expect(JSON.stringify(await storage.list('projection/'))).not.toContain('Ada');
    expect(await generations()).toEqual(before);
    const after = await storage.get('projection/names');
    await projector.catchUp();
    expect(await storage.get('projection/names')).toEqual(after);
  });

  test('that comes while the documents are built anew has them built once more', async () => {
    const storage = openMemory();
    const store = open(storage);
    const projector = new Projector(store, names, { pageEvents: 1 });
    await store.append([registered('Ada'), registered('Bob', 'customer-2'), registered('Eve', 'c-3')]);
    await projector.rebuild({ limit: 1 });
    await store.erase('customer-1');
    await projector.catchUp();
    expect(await projector.get('all')).toEqual(['Ada', 'Bob', 'Eve']);
    await projector.catchUp();
    expect(await projector.get('all')).toEqual(['Bob', 'Eve']);
  });

  test('takes the document that is named, and leaves the others and what the author keeps', async () => {
    const store = open();
    const kept: Projection<string> = {
      ...bySubject,
      name: 'kept',
      onErased: { key: (subject) => subject, evolve: (_, subject) => `${subject} is gone` },
    };
    const none = { ...kept, name: 'none', types: ['customer.greeted'] };
    const projectors = [bySubject, kept, none].map((each) => new Projector(store, each));
    const all = async () => Promise.all(projectors.map((projector) => projector.list()));
    await store.append([registered('Ada'), registered('Bob', 'customer-2')]);
    for (const projector of projectors) await projector.catchUp();
    await store.erase('customer-1');
    for (const projector of projectors) await projector.catchUp();
    expect(await all()).toEqual([
      [['customer-2', 'Bob']],
      [
        ['customer-1', 'customer-1 is gone'],
        ['customer-2', 'Bob'],
      ],
      [],
    ]);
  });

  test('takes what is folded inline in its own commit, or has it folded anew', async () => {
    const storage = openMemory();
    const personal = new PersonalData({ cipher, keys: storage, ports: hostPorts });
    const inline = [inlineProjection(bySubject), inlineProjection(names)];
    const store = new EventStore(storage, { catalogue, personal, inline });
    const [one, all] = [
      new Projector(store, bySubject, { inline: true }),
      new Projector(store, names, { inline: true }),
    ];
    await store.append([registered('Ada'), registered('Bob', 'customer-2')]);
    await store.erase('customer-1');
    expect(await one.list()).toEqual([['customer-2', 'Bob']]);
    await all.catchUp();
    await store.append(registered('Eve', 'customer-3'));
    expect(await all.get('all')).toEqual(['Bob', 'Eve']);
    expect(JSON.stringify(await storage.list(''))).not.toContain('Ada');
  });

  test('is told of under a strict catalogue', async () => {
    const strict = defineEvents(
      { 'customer.registered': z.object({ name: z.string() }) },
      { personal: ['customer.registered'], strict: true },
    );
    const storage = openMemory();
    const personal = new PersonalData({ cipher, keys: storage, ports: hostPorts });
    const store = new EventStore(storage, { catalogue: strict, personal });
    const projector = new Projector(store, names);
    await store.append(registered('Ada'));
    await projector.catchUp();
    await store.erase('customer-1');
    await projector.catchUp();
    expect(await projector.list()).toEqual([]);
  });

  test('that is damaged is taken for one', async () => {
    const database = nodeSqlite(':memory:');
    const storage = openSqlite(database);
    const store = open(storage);
    const projector = new Projector(store, names);
    await store.append([registered('Ada'), registered('Bob', 'customer-2')]);
    await projector.catchUp();
    await store.erase('customer-1');
    database.exec('UPDATE log_segment SET lines = zeroblob(length(lines)) WHERE first = 3');
    await projector.catchUp();
    expect(await projector.get('all')).toEqual(['Bob']);
    const kept = await storage.get('projection/names');
    await projector.catchUp();
    expect(await storage.get('projection/names')).toEqual(kept);
  });
});
