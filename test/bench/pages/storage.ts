/** The IndexedDB driver against raw IndexedDB, in a page: rows with four indexes, and a loop that writes the same segments. */
import { deleteDB, openDB, type IDBPDatabase } from 'idb';
import type { Event } from '../../../src/event/event.ts';
import { toWire } from '../../../src/event/wire.ts';
import { openIndexedDb } from '../../../src/storage/indexeddb.ts';
import { packSegments } from '../../../src/storage/segments/segment.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { inBatches, sampleRequests } from '../sample-requests.ts';
import { alternate, median, medianRatio, mustEqual, timesOf, type Timed } from '../timing.ts';

const EVENTS = 12_000;
const REST_EVENTS = 60_000;
const BATCH = 400;
const ROUNDS = 5;
/** Both take a tenth of a second, which one pause of the machine is a good part of. */
const SEGMENT_ROUNDS = 21;

/** ms, the medians; `ratio`, the peer's over ours, is that of the rounds' own ratios. */
export interface Against {
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
}

export interface IndexedDbFigures {
  readonly events: number;
  readonly batch: number;
  readonly append: { readonly rows: Against; readonly segments: Against };
  /** ms */
  readonly scan: { readonly ours: number; readonly rows: number };
  readonly byId: { readonly ours: number; readonly rows: number };
  readonly byType: { readonly ours: number; readonly rows: number };
  /** Bytes an event at rest. */
  readonly bytes: { readonly ours: number; readonly rows: number };
}

async function bench(): Promise<IndexedDbFigures> {
  const events = sampleRequests(EVENTS);
  const batches = inBatches(events, BATCH);
  // First, in a fresh profile: what is deleted later leaves its bytes behind for a while.
  const bytes = await bytesAtRest();
  const kept = await reads(events, batches);
  const append = await appends(batches);
  return { events: EVENTS, batch: BATCH, append, bytes, ...kept };
}

/** Against one peer at a time: what one leaves to the database falls on the next, and rows leave far more than segments. */
async function appends(batches: readonly (readonly Event[])[]): Promise<IndexedDbFigures['append']> {
  const segments = packSegments(1, batches.flat(), () => true).map(({ terms, ...rest }) => ({
    ...rest,
    postings: terms.map((t) => [t, rest.first]),
  }));
  let made = 0;
  const against = async (peer: Timed, rounds: number): Promise<Against> => {
    const times = await timesOf({ ours: () => appendOurs(`ours-${++made}`, batches), peer }, rounds);
    const ratio = medianRatio(times.peer, times.ours);
    return { ours: median(times.ours), peer: median(times.peer), ratio };
  };
  return {
    segments: await against(() => appendSegments(`segments-${++made}`, segments), SEGMENT_ROUNDS),
    rows: await against(() => appendRows(`rows-${++made}`, batches), ROUNDS),
  };
}

async function appendOurs(log: string, batches: readonly (readonly Event[])[]): Promise<void> {
  const storage = await openIndexedDb({ log });
  for (const batch of batches) await storage.commit([{ events: batch }]);
  mustEqual((await storage.stats()).events, EVENTS, 'events stored');
  await storage.close();
  await deleteDB(`millrace:${log}`);
}

async function appendRows(name: string, batches: readonly (readonly Event[])[]): Promise<void> {
  const database = await openRows(name);
  for (const batch of batches) await putRows(database, batch);
  mustEqual(await database.count('events'), EVENTS, 'rows stored');
  database.close();
  await deleteDB(name);
}

async function appendSegments(
  name: string,
  segments: readonly { readonly first: number }[],
): Promise<void> {
  const database = await openSegments(name);
  for (const segment of segments) {
    const transaction = database.transaction(['segments', 'state'], 'readwrite', {
      durability: 'relaxed',
    });
    void transaction.objectStore('segments').put(segment);
    void transaction.objectStore('state').put(segment.first, 'head');
    transaction.commit();
    await transaction.done;
  }
  mustEqual(await database.count('segments'), segments.length, 'segments stored');
  database.close();
  await deleteDB(name);
}

/** Of so many events that the database's own log, some megabytes that are not compressed yet, is the lesser part of both. */
async function bytesAtRest(): Promise<IndexedDbFigures['bytes']> {
  const batches = inBatches(sampleRequests(REST_EVENTS), BATCH);
  const empty = await usage();
  const storage = await openIndexedDb({ log: 'rest' });
  for (const batch of batches) await storage.commit([{ events: batch }]);
  const ours = (await usage()) - empty;
  const rows = await openRows('rest-rows');
  for (const batch of batches) await putRows(rows, batch);
  const both = (await usage()) - empty;
  await storage.close();
  rows.close();
  return { ours: ours / REST_EVENTS, rows: (both - ours) / REST_EVENTS };
}

async function reads(events: readonly Event[], batches: readonly (readonly Event[])[]) {
  const storage = await openIndexedDb({ log: 'kept' });
  for (const batch of batches) await storage.commit([{ events: batch }]);
  const rows = await openRows('kept-rows');
  for (const batch of batches) await putRows(rows, batch);
  const some = inBatches(events, 200).map(([event]) => event!);
  const scan = await alternate(
    {
      ours: () => scanAll(storage),
      rows: async () => mustEqual((await rows.getAll('events')).length, EVENTS, 'rows'),
    },
    ROUNDS,
  );
  const byId = await alternate(
    {
      ours: async () => {
        for (const { id } of some)
          mustEqual((await storage.read({ id })).events[0]?.event.id, id, 'by id');
      },
      rows: async () => {
        for (const { id } of some)
          mustEqual(((await rows.getFromIndex('events', 'id', id)) as { id: string }).id, id, 'by id');
      },
    },
    ROUNDS,
  );
  const byType = await alternate(
    {
      ours: async () => {
        const page = await storage.read({ types: ['page.failed'], limit: 1000 });
        mustEqual(page.events.map(({ event }) => event).length, 1000, 'by type');
      },
      rows: async () =>
        mustEqual(
          (await rows.getAllFromIndex('events', 'type', 'page.failed', 1000)).length,
          1000,
          'by type',
        ),
    },
    ROUNDS * 3,
  );
  const each = (took: { ours: number; rows: number }) => ({
    ours: took.ours / some.length,
    rows: took.rows / some.length,
  });
  return { scan, byId: each(byId), byType };
}

async function scanAll(storage: Storage): Promise<void> {
  let [seen, after] = [0, 0];
  for (;;) {
    const page = await storage.read({ after, limit: 4000 });
    seen += page.events.map(({ event }) => event).length;
    after = page.next;
    if (!page.more) break;
  }
  mustEqual(seen, EVENTS, 'events read');
}

function openRows(name: string): Promise<IDBPDatabase> {
  return openDB(name, 1, {
    upgrade(database) {
      const rows = database.createObjectStore('events', { autoIncrement: true });
      rows.createIndex('id', 'id', { unique: true });
      rows.createIndex('type', 'type');
      rows.createIndex('correlation_id', 'correlation_id');
      rows.createIndex('timestamp', 'timestamp');
    },
  });
}

async function putRows(database: IDBPDatabase, events: readonly Event[]): Promise<void> {
  const transaction = database.transaction('events', 'readwrite', { durability: 'relaxed' });
  for (const event of events) void transaction.store.add(toWire(event));
  transaction.commit();
  await transaction.done;
}

function openSegments(name: string): Promise<IDBPDatabase> {
  return openDB(name, 1, {
    upgrade(database) {
      const segments = database.createObjectStore('segments', { keyPath: 'first' });
      segments.createIndex('postings', 'postings', { multiEntry: true });
      segments.createIndex('firstId', 'firstId');
      segments.createIndex('maxTime', 'maxTime');
      database.createObjectStore('state');
    },
  });
}

/** Bytes that the origin takes, once what was written has settled on the disk. */
async function usage(): Promise<number> {
  let last = -1;
  for (;;) {
    const { usage: now = 0 } = await navigator.storage.estimate();
    if (now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

Object.assign(globalThis, { bench });
