/** What must not compile of event sourcing, and what must. */
import { z } from 'zod/mini';
import {
  createEventFactory,
  defineEvents,
  EventSourcing,
  EventStore,
  hostPorts,
  inlineProjection,
  openMemory,
  Projector,
  Reactor,
  Repository,
  type Aggregate,
  type AggregateDefinition,
  type Decider,
  type Draft,
  type DraftOf,
  type Event,
  type MaybePromise,
  type Projection,
  type StoredEvent,
} from 'millrace';
import { givenFor } from 'millrace/testing';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles where both are the same type. */
function same<A, B>(_: Same<A, B>): void {}

const shop = defineEvents(
  { 'product.added': z.object({ price: z.number() }), 'order.placed': z.object({ total: z.number() }) },
  { personal: ['order.placed'] },
);
// @ts-expect-error only a type of the catalogue is personal
defineEvents({ 'product.added': z.object({}) }, { personal: ['product.removed'] });

type CartEvent = DraftOf<typeof shop>;
same<CartEvent, Draft<'product.added', { price: number }> | Draft<'order.placed', { total: number }>>(
  true,
);
type CartCommand = { do: 'add'; price: number } | { do: 'place order' };
interface Cart {
  readonly total: number;
}

const cart: AggregateDefinition<Cart, CartCommand, CartEvent> = {
  name: 'cart',
  initialState: () => ({ total: 0 }),
  decide: (command, { total }) =>
    command.do === 'add'
      ? { type: 'product.added', data: { price: command.price } }
      : [{ type: 'order.placed', data: { total } }],
  evolve: ({ total }, event) =>
    event.type === 'product.added' ? { total: total + event.data.price } : { total: event.data.total },
  deletedBy: ['order.placed'],
  snapshots: { every: 10 },
};

export const deciders: readonly Decider<Cart, CartCommand, CartEvent>[] = [
  cart,
  // @ts-expect-error an event that the decider does not name
  { ...cart, decide: () => ({ type: 'stock.counted', data: {} }) },
  // @ts-expect-error a payload of another event
  { ...cart, decide: () => ({ type: 'order.placed', data: { price: 1 } }) },
  // @ts-expect-error decisions are made at once
  { ...cart, decide: async () => ({ type: 'order.placed', data: { total: 1 } }) },
  // @ts-expect-error a state of another shape
  { ...cart, evolve: () => ({ sum: 1 }) },
  // @ts-expect-error the initial state is made anew each time
  { ...cart, initialState: { total: 0 } },
  // @ts-expect-error a field that not every event has
  { ...cart, evolve: (_, { data }) => ({ total: data.total }) },
];
// @ts-expect-error deleted by an event that it does not have
export const deleted: typeof cart = { ...cart, deletedBy: ['cart.deleted'] };
// @ts-expect-error a snapshot is JSON
export const encoded: typeof cart = { ...cart, snapshots: { every: 1, encode: () => new Map() } };

const store = new EventStore(openMemory(), { catalogue: shop });
const options = { source: 'shop', ports: hostPorts };
const carts = new Repository(store, cart, options);
same<typeof carts, Repository<Cart, CartCommand, CartEvent>>(true);
const one = await carts.get('1');
same<typeof one, Aggregate<Cart, CartCommand, CartEvent>>(true);
same<typeof one.state, Cart>(true);
same<Awaited<ReturnType<typeof carts.getByVersion>>, Cart>(true);
one.execute({ do: 'add', price: 9 });
one.apply({ type: 'order.placed', data: { total: 9 } });
await carts.execute('1', { do: 'place order' }, { event: { correlationId: 'visit-1' }, retries: 1 });
// @ts-expect-error a command that there is not
one.execute({ do: 'pay' });
// @ts-expect-error a command that lacks a field
await carts.execute('1', { do: 'add' });
// @ts-expect-error a state is read alone
one.state.total = 1;
// @ts-expect-error an event is saved, not a state
await carts.save({ total: 1 });
// @ts-expect-error a repository has a source
export const nameless = new Repository(store, cart, { ports: hostPorts });
// @ts-expect-error an aggregate of another repository
await carts.save(await new Repository(store, { ...cart, initialState: () => ({ other: 1 }) }).get('1'));

const sourcing = new EventSourcing(store, { cart, stock: { ...cart, initialState: () => 1 } }, options);
same<Awaited<ReturnType<typeof sourcing.get<'cart'>>>['state'], Cart>(true);
same<Awaited<ReturnType<typeof sourcing.rebuild<'stock'>>>['state'], number>(true);
// @ts-expect-error a kind that is not defined
await sourcing.get('parcel', '1');

const totals: Projection<number> = {
  name: 'totals',
  key: ({ subject }) => subject,
  initial: () => 0,
  evolve: (total, { type }) => (type === 'order.placed' ? undefined : total + 1),
  onErased: { key: (subject) => subject, evolve: (total, subject) => total - subject.length },
};
export const projections: readonly Projection<number>[] = [
  totals,
  // @ts-expect-error a document of another shape
  { ...totals, evolve: () => 'one' },
  // @ts-expect-error a document is not folded later
  { ...totals, evolve: async () => 1 },
  // @ts-expect-error an erasure leaves a document of the same shape
  { ...totals, onErased: { key: () => 'all', evolve: () => 'none' } },
];
// @ts-expect-error documents are JSON
export const unstorable: Projection<Date> = { ...totals, initial: () => new Date() };
const projector = new Projector(store, totals);
same<Awaited<ReturnType<typeof projector.get>>, number | undefined>(true);
export const inline = new EventStore(openMemory(), { inline: [inlineProjection(totals)] });
// @ts-expect-error a projection is folded inline by `inlineProjection`
export const notInline = new EventStore(openMemory(), { inline: [totals] });

export const shipping = new Reactor<{ ship: string }>(store, {
  name: 'shipping',
  react: ({ subject = '' }) => ({ commands: [{ ship: subject }] }),
  deliver: ({ ship }, { id, commit }) => carts.execute(ship + id, { do: 'place order' }, commit),
});
export const sending = new Reactor<{ ship: string }>(store, {
  name: 'shipping',
  // @ts-expect-error a command of another shape
  react: () => ({ commands: [{ send: '1' }] }),
});

const make = createEventFactory({ source: 'shop', ports: hostPorts, catalogue: shop });
await store.append(make('order.placed', { total: 1 }), { expect: [{ subject: 'a', version: 'none' }] });
// @ts-expect-error an append may be a promise: it must be awaited
export const appended: { readonly duplicates: number } = store.append(
  make('order.placed', { total: 1 }),
);
same<ReturnType<typeof store.getById>, MaybePromise<StoredEvent | undefined>>(true);
// @ts-expect-error a version that there is not
await store.append([], { expect: [{ subject: 'a', version: 'new' }] });
for await (const { event } of store.events({ subject: 'cart-1' })) same<typeof event, Event>(true);

const given = givenFor(cart);
given({ type: 'product.added', data: { price: 9 } })
  .when({ do: 'place order' })
  .then({ type: 'order.placed', data: { total: 9 } });
given().when({ do: 'place order' }).thenRefused('aggregate.deleted');
// @ts-expect-error an event of another decider
given({ type: 'stock.counted', data: {} });
// @ts-expect-error a command that there is not
given().when({ do: 'pay' });
const placed = given().when({ do: 'place order' });
// @ts-expect-error a payload of another event
placed.then({ type: 'order.placed', data: { price: 9 } });
// @ts-expect-error a code that there is not
given().when({ do: 'place order' }).thenRefused('cart.empty');
