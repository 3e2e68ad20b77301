/**
 * Appends in memory, one event each with its version and its id checked: against emmett and castore, and against our own
 * at other sizes. Every event is made in the loop, as it is where events come from.
 *
 * The peers promise less: castore checks the version alone, has no ids, no position of an event in the log and no look-up
 * but by aggregate; emmett makes ids and checks none. No one writes JSON: our log in memory does when a line is asked for.
 */
import { EventStore as Castore, EventType } from '@castore/core';
import { InMemoryEventStorageAdapter } from '@castore/event-storage-adapter-in-memory';
import { getInMemoryEventStore } from '@event-driven-io/emmett';
import { createEventFactory, EventStore, hostPorts, openMemory } from '../../src/index.ts';
import type { Row } from './table.ts';
import { alternate, median, mustEqual } from './timing.ts';

const MANY = 5_000;
const SMALL = 1_000;
const AGAINST_PEERS = 10_000;
const LARGE = 1_000_000;
const ROUNDS = 7;
const LARGE_ROUNDS = 2;

const TYPE = 'product.added';
const dataOf = (i: number) => ({ productId: 'espresso', quantity: i % 7 });
const make = createEventFactory({ source: 'till', ports: hostPorts });

export async function appendRows(): Promise<readonly Row[]> {
  // One round of each is too little for the compilers of all three: the case that is fast for everybody goes first.
  const many = await againstPeers(MANY);
  return [...(await againstPeers(1)), ...many, ...(await bySize())];
}

async function againstPeers(subjects: number): Promise<readonly Row[]> {
  const times = await alternate(
    {
      ours: () => appendOurs(AGAINST_PEERS, subjects),
      made: () => makeAlone(AGAINST_PEERS, subjects),
      castore: () => appendCastore(AGAINST_PEERS, subjects),
      emmett: () => appendEmmett(AGAINST_PEERS, subjects),
    },
    ROUNDS,
  );
  const rate = (ms: number): number => (AGAINST_PEERS / ms) * 1000;
  const where = subjects === 1 ? 'one subject' : `${subjects} subjects`;
  const [name, best] =
    times.castore < times.emmett ? ['castore', times.castore] : ['emmett', times.emmett];
  return [
    {
      case: `memory: append ${AGAINST_PEERS} in ${where}, against ${name}, the better peer`,
      unit: 'events/s',
      ours: rate(times.ours),
      peer: rate(best),
      ratio: best / times.ours,
      goal: '>=5',
    },
    {
      case: `the same events made and given away, against all that ${name} does`,
      unit: 'events/s',
      ours: rate(times.made),
      peer: rate(best),
      ratio: best / times.made,
      goal: '',
    },
  ];
}

/** All logs of a run are kept until its end, so that each run leaves a million events to the garbage collector. */
async function bySize(): Promise<readonly Row[]> {
  const runs = {
    small: () => appendOurs(LARGE, 1, SMALL),
    large: () => appendOurs(LARGE, 1),
    spread: () => appendOurs(LARGE, MANY),
  };
  const times = { small: [] as number[], large: [] as number[], spread: [] as number[] };
  for (let round = 0; round < LARGE_ROUNDS; round++) {
    for (const name of ['small', 'large', 'spread'] as const) {
      globalThis.gc?.();
      const start = performance.now();
      await runs[name]();
      times[name].push(performance.now() - start);
    }
  }
  const fastest = (name: keyof typeof times): number => Math.min(...times[name]);
  const row = (where: string, name: 'large' | 'spread'): Row => ({
    case: `memory: append, a log of ${LARGE} in ${where}, against logs of ${SMALL}`,
    unit: 'events/s',
    ours: (LARGE / fastest(name)) * 1000,
    peer: (LARGE / fastest('small')) * 1000,
    ratio: fastest('small') / fastest(name),
    goal: '>=0.8',
  });
  return [row('one subject', 'large'), row(`${MANY} subjects`, 'spread')];
}

/** `atATime`: a new log after so many. */
async function appendOurs(count: number, subjects: number, atATime = count): Promise<void> {
  const stores: EventStore[] = [];
  for (let done = 0; done < count; done += atATime) {
    const store = new EventStore(openMemory());
    stores.push(store);
    const versions = new Int32Array(subjects);
    for (let i = 0; i < atATime; i++) {
      const at = i % subjects;
      const subject = `cart-${at}`;
      const event = make(TYPE, dataOf(i), { subject });
      await store.append(event, { expect: [{ subject, version: versions[at]!++ }] });
    }
  }
  // Not by `stats`, which counts the characters of all lines: no peer writes any.
  const heads = await Promise.all(stores.map(async (store) => (await store.read({ limit: 1 })).head));
  mustEqual(median(heads), atATime, 'events of a log');
  mustEqual(await stores[0]!.version('cart-0'), Math.ceil(atATime / subjects), 'a version');
}

/** What our events cost before they come to a store: id, time and the checks of each field. Castore makes none of it. */
async function makeAlone(count: number, subjects: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const subject = `cart-${i % subjects}`;
    mustEqual((await make(TYPE, dataOf(i), { subject })).subject, subject, 'a subject');
  }
}

async function appendCastore(count: number, subjects: number): Promise<void> {
  const store = new Castore({
    eventStoreId: 'CARTS',
    eventTypes: [new EventType({ type: TYPE })],
    reducer: (aggregate: { aggregateId: string; version: number }) => aggregate,
    eventStorageAdapter: new InMemoryEventStorageAdapter(),
  });
  const versions = new Int32Array(subjects);
  for (let i = 0; i < count; i++) {
    const at = i % subjects;
    const event = {
      aggregateId: `cart-${at}`,
      version: ++versions[at]!,
      type: TYPE,
      payload: dataOf(i),
    };
    await store.pushEvent(event as never);
  }
  const { events } = await store.getEvents('cart-0');
  mustEqual(events.length, Math.ceil(count / subjects), 'castore: events of a stream');
}

async function appendEmmett(count: number, subjects: number): Promise<void> {
  const store = getInMemoryEventStore();
  const versions = Array.from({ length: subjects }, () => 0n);
  for (let i = 0; i < count; i++) {
    const at = i % subjects;
    const expectedStreamVersion = versions[at]!++;
    await store.appendToStream(`cart-${at}`, [{ type: TYPE, data: dataOf(i) }], {
      expectedStreamVersion,
    });
  }
  const { events } = await store.readStream('cart-0');
  mustEqual(events.length, Math.ceil(count / subjects), 'emmett: events of a stream');
}
