/** What capturing costs the page, and how soon and how fast it is on the disk, against the plainest ways to do it. */
import { wrap } from 'comlink';
import { deleteDB, openDB } from 'idb';
import type { KeptFigures } from '../capture-kept.ts';
import type { EventWriter } from './event-writer.ts';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import writerUrl from './event-writer.ts?worker&url';
import { alternate, median, mustEqual } from '../timing.ts';
import { captureVisits, openClient, visit } from './shop-page.ts';

const CALLS = 1_000;
/** For a backlog of any length. */
const ROOM = 2 ** 40;
/** Below what a page may hold uncommitted. */
const HELD = 20_000;
const DURABLE = 20_000;
const ROUNDS = 3;
const DURABLE_ALONE = 300;
const RECEIPTS = 300;

export interface CaptureFigures {
  /** µs of the page's time an event. */
  readonly page: { readonly ours: number; readonly postMessage: number; readonly comlink: number };
  /** Events a second from the page to the disk. */
  readonly durable: { readonly ours: number; readonly alone: number };
  /** ms, the median. */
  readonly receipt: { readonly ours: number; readonly raw: number };
}

async function bench(): Promise<CaptureFigures> {
  return {
    page: await pageTime(),
    durable: await toDisk(),
    receipt: await receipts(),
  };
}

let handOverMs = 0;
const { postMessage } = Worker.prototype;
Worker.prototype.postMessage = function (this: Worker, ...given: unknown[]) {
  handOverMs += timed(() => Reflect.apply(postMessage, this, given));
};

/**
 * One task that captures 1,000 events, and the hand-over of those that leave in a later one; what the worker does then is
 * not the page's time.
 */
async function pageTime(): Promise<CaptureFigures['page']> {
  const client = openClient();
  await client.flush();
  const echo = new Worker(writerUrl, { type: 'module' });
  const remote = wrap<EventWriter>(echo);
  await remote.ignore('');
  const times = { ours: [] as number[], postMessage: [] as number[], comlink: [] as number[] };
  for (let round = 0; round < 12; round++) {
    const task = timed(() => captureVisits(client, CALLS));
    const handedOver = handOverMs;
    await client.flush();
    times.ours.push(task + handOverMs - handedOver);
    times.postMessage.push(
      timed(() => {
        for (let i = 0; i < CALLS; i += 100) {
          const batch: string[] = [];
          for (let n = i; n < i + 100; n++)
            batch.push(JSON.stringify({ id: n, type: 'page.viewed', data: visit(n) }));
          echo.postMessage(batch);
        }
      }),
    );
    const sent: Promise<void>[] = [];
    times.comlink.push(
      timed(() => {
        for (let n = 0; n < CALLS; n++)
          sent.push(remote.ignore(JSON.stringify({ id: n, type: 'page.viewed', data: visit(n) })));
      }),
    );
    await Promise.all(sent);
  }
  echo.terminate();
  await client.dispose();
  const each = (all: readonly number[]): number => (median(all.slice(2)) / CALLS) * 1000;
  return { ours: each(times.ours), postMessage: each(times.postMessage), comlink: each(times.comlink) };
}

function timed(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** From the page's call to the answer that all is committed; both logs are open by then. */
async function toDisk(): Promise<CaptureFigures['durable']> {
  const writer = new Worker(writerUrl, { type: 'module' });
  const remote = wrap<EventWriter>(writer);
  const name = 'bench-alone';
  await remote.open(name);
  const clients = Array.from({ length: ROUNDS + 1 }, () => openClient());
  for (const client of clients) await client.capture('page.opened', visit(0));
  const used = clients.values();
  const took = await alternate(
    {
      ours: async () => {
        const client = used.next().value!;
        captureVisits(client, DURABLE);
        await client.flush();
        mustEqual(client.status().committed, DURABLE + 1, 'events committed');
      },
      alone: async () => {
        for (let n = 0; n < DURABLE_ALONE; n++)
          await remote.write({ id: `${n}`, type: 'page.viewed', data: visit(n) });
      },
    },
    ROUNDS,
  );
  for (const client of clients) await client.dispose();
  await remote.close();
  writer.terminate();
  await deleteDB(name);
  return { ours: (DURABLE / took.ours) * 1000, alone: (DURABLE_ALONE / took.alone) * 1000 };
}

/** One event at a time: the durable receipt, against one raw transaction in the page itself. */
async function receipts(): Promise<CaptureFigures['receipt']> {
  const client = openClient();
  await client.flush();
  const database = await openDB('bench-raw', 1, {
    upgrade: (raw) => void raw.createObjectStore('events', { autoIncrement: true }),
  });
  const times = { ours: [] as number[], raw: [] as number[] };
  for (let n = 0; n < RECEIPTS; n++) {
    let start = performance.now();
    await client.capture('page.viewed', visit(n));
    times.ours.push(performance.now() - start);
    start = performance.now();
    const transaction = database.transaction('events', 'readwrite', { durability: 'relaxed' });
    void transaction.store.add({ type: 'page.viewed', data: visit(n) });
    transaction.commit();
    await transaction.done;
    times.raw.push(performance.now() - start);
  }
  database.close();
  await client.dispose();
  await deleteDB('bench-raw');
  return { ours: median(times.ours), raw: median(times.raw) };
}

/** What was captured, committed and left behind in the log of that name. */
async function keep(log: string, count: number): Promise<void> {
  const client = openClient({ log, maxBytes: ROOM });
  for (let n = 0; n < count; n += CALLS) {
    captureVisits(client, CALLS);
    if (client.status().captured - client.status().committed > HELD) await client.flush();
  }
  await client.flush();
}

/** How many events a client that comes later finds. */
async function there(log: string): Promise<number> {
  const client = openClient({ log });
  let [seen, after] = [0, 0];
  for (;;) {
    const page = await client.query({ after, limit: 5_000 });
    seen += page.events.filter(({ event }) => event.type === 'page.viewed').length;
    after = page.next;
    if (page.more) continue;
    await client.dispose();
    return seen;
  }
}

/** Events a second, from the client that finds them to the edge's answer that it has them all. */
async function drain(log: string, count: number): Promise<number> {
  const start = performance.now();
  const client = openClient({ log, sync: true, maxBytes: ROOM });
  await new Promise<void>((done) => {
    client.onStatus(({ acknowledged }) => {
      if (acknowledged >= count) done();
    });
  });
  const tookMs = performance.now() - start;
  await client.dispose();
  return (count / tookMs) * 1_000;
}

/** The same to the same edge by a plain loop of requests, 500 events each. */
async function drainByHand(count: number): Promise<number> {
  const size = 500;
  const lines = Array.from({ length: size }, (_, n) =>
    JSON.stringify({ id: crypto.randomUUID(), type: 'page.viewed', data: visit(n), source: 'shop' }),
  );
  const start = performance.now();
  for (let seq = 1; seq <= count; seq += size) {
    const header = { producer: 'by-hand', epoch: 1, seq, count: size, holes: [] };
    const body = [JSON.stringify(header), ...lines].join('\n');
    const response = await fetch('/sync/push', { method: 'POST', body });
    mustEqual(response.status, 200, 'status');
    await response.text();
  }
  return (count / (performance.now() - start)) * 1_000;
}

/** The plain loop first. */
async function drains(log: string, count: number, byHand: number): Promise<KeptFigures['drain']> {
  return { byHand: await drainByHand(byHand), ours: await drain(log, count) };
}

Object.assign(globalThis, { bench, keep, there, drains });
