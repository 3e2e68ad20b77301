/**
 * A small shop with all that event sourcing has: carts that decide, an inline and an asynchronous projection, and a
 * reaction that thanks the visitor and has a parcel packed. And what must be true of its log, whatever happened.
 */
import {
  EventStore,
  inlineProjection,
  Projector,
  Reactor,
  Repository,
  type AggregateDefinition,
  type Draft,
  type Projection,
  type Storage,
} from 'millrace';
import { assertEqual } from '../../src/storage/laws/law.ts';
import { readAll } from '../../src/storage/laws/sample.ts';
import { makeEvent } from '../../src/event/event.ts';
import { createIds } from '../../src/event/ids.ts';

type Added = Draft<'product.added', { readonly n: number }>;
type Packed = Draft<'parcel.packed', { readonly n: number }>;
type Numbers = readonly number[];

const listed = <E extends Draft<string, { readonly n: number }>>(
  name: string,
  type: E['type'],
): AggregateDefinition<Numbers, number, E> => ({
  name,
  initialState: () => [],
  decide: (n) => ({ type, data: { n } }) as E,
  evolve: (numbers, { data }) => [...numbers, data.n],
  snapshots: { every: 2 },
});

const projection = (name: string): Projection<Numbers> => ({
  name,
  types: ['product.added'],
  key: ({ data }) => `by-${numberOf(data) % 2}`,
  initial: () => [],
  evolve: (numbers, { data }) => [...numbers, numberOf(data)],
});

const numberOf = (data: unknown): number => (data as { readonly n: number }).n;

let clock = 1_700_000_000_000;
let random = 1;
const ports = {
  now: () => clock++,
  fillRandom: (bytes: Uint8Array) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = random = (random * 16_807) % 2_147_483_647;
  },
};
const nextId = createIds(ports);

/** One process at work on the log: its caches and its consumers are its own. */
export class Shop {
  readonly store: EventStore;
  readonly carts: Repository<Numbers, number, Added>;
  readonly parcels: Repository<Numbers, number, Packed>;
  readonly sales: Projector<Numbers>;
  readonly stock: Projector<Numbers>;
  readonly thanks: Reactor<number>;

  constructor(storage: Storage, pageEvents = 3) {
    this.store = new EventStore(storage, { inline: [inlineProjection(projection('stock'))] });
    const options = { source: 'shop', ports };
    this.carts = new Repository(this.store, listed<Added>('cart', 'product.added'), options);
    this.parcels = new Repository(this.store, listed<Packed>('parcel', 'parcel.packed'), options);
    this.sales = new Projector(this.store, projection('sales'), { pageEvents });
    this.stock = new Projector(this.store, projection('stock'), { inline: true, pageEvents });
    this.thanks = new Reactor(this.store, {
      name: 'thanks',
      types: ['product.added'],
      react: ({ id, data }) => ({ events: [thanksFor(id, numberOf(data))], commands: [numberOf(data)] }),
      deliver: (n, { commit }) => this.parcels.execute('all', n, { ...commit, retries: 1000 }),
    });
  }

  add(cart: string, n: number): Promise<unknown> {
    return this.carts.execute(cart, n, { retries: 1000 });
  }
}

const thanksFor = (causationId: string, n: number) =>
  makeEvent({
    id: nextId(),
    type: 'visitor.thanked',
    data: { n },
    timestamp: ports.now(),
    source: 'shop',
    priority: 2,
    causationId,
  });

/**
 * Catches everything up as a new process would, and compares it with the log itself.
 *
 * @param tried What was asked for; `done`: what was acknowledged.
 */
export async function checkShop(
  storage: Storage,
  tried: readonly number[],
  done: readonly number[],
  pageEvents: number,
): Promise<void> {
  const shop = new Shop(storage, pageEvents);
  await shop.thanks.catchUp();
  await shop.sales.catchUp();
  // What was being rebuilt takes over; beyond that, nothing is folded here that the appends have not.
  await shop.stock.catchUp();
  const events = await readAll(storage, { limit: pageEvents });
  assertEqual(
    events.map(({ position }) => position),
    events.map((_, i) => i + 1),
    'positions are dense',
  );
  const numbers = (type: string, subject?: string): number[] =>
    events
      .filter(({ event }) => event.type === type && (subject === undefined || event.subject === subject))
      .map(({ event }) => numberOf(event.data));
  const added = numbers('product.added');
  assertEqual(new Set(added).size, added.length, 'nothing is doubled');
  assertEqual(
    done.filter((n) => !added.includes(n)),
    [],
    'nothing acknowledged is lost',
  );
  assertEqual(
    added.filter((n) => !tried.includes(n)),
    [],
    'nothing comes from nowhere',
  );
  assertEqual(numbers('visitor.thanked'), added, 'each is thanked for once, in order');
  assertEqual(numbers('parcel.packed'), added, 'each is packed once, in order');
  for (const cart of ['a', 'b']) {
    const expected = numbers('product.added', `cart-${cart}`);
    const { state, version } = await shop.carts.get(cart);
    assertEqual([state, version], [expected, expected.length], `cart ${cart}, by its snapshot`);
    assertEqual((await shop.carts.rebuild(cart)).state, expected, `cart ${cart}, by its events`);
  }
  const documents = [0, 1].map((rest) => added.filter((n) => n % 2 === rest));
  const expected = documents.map((list) => (list.length === 0 ? undefined : list));
  for (const projector of [shop.sales, shop.stock]) {
    const actual = [await projector.get('by-0'), await projector.get('by-1')];
    assertEqual(actual, expected, 'a projection is the fold of the log');
  }
  assertEqual(await shop.thanks.waiting(), [], 'the outbox is empty');
}
