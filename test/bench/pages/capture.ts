/** What capturing costs the page, and how soon and how fast it is on the disk, against the plainest ways to do it. */
import { wrap } from 'comlink';
import { deleteDB, openDB } from 'idb';
import { connect, type Client } from '../../../workers/browser/client.ts';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import workerUrl from '../../../workers/browser/worker.ts?worker&url';
import type { EventWriter } from './event-writer.ts';
// oxlint-disable-next-line import/default -- the same
import writerUrl from './event-writer.ts?worker&url';
import { alternate, median, mustEqual } from '../timing.ts';

const CALLS = 1_000;
const DURABLE = 20_000;
const DURABLE_ALONE = 300;
const RECEIPTS = 60;
const AGENT = navigator.userAgent;

export interface CaptureFigures {
  /** µs of the page's time an event. */
  readonly page: { readonly ours: number; readonly postMessage: number; readonly comlink: number };
  /** Events a second from the page to the disk. */
  readonly durable: { readonly ours: number; readonly alone: number };
  /** ms, the median. */
  readonly receipt: { readonly ours: number; readonly raw: number };
  readonly kept: { readonly captured: number; readonly there: number };
}

let clients = 0;
const open = (log = `bench-${++clients}`): Client =>
  connect({
    endpoint: '/nowhere',
    log,
    sync: false,
    worker: () => new Worker(workerUrl, { type: 'module' }),
  });

const data = (n: number) => ({ path: `/articles/${n % 5_000}`, status: 200, bytes: n, agent: AGENT });

async function bench(): Promise<CaptureFigures> {
  return {
    page: await pageTime(),
    durable: await toDisk(),
    receipt: await receipts(),
    kept: await keptAfterReload(),
  };
}

/** One task that captures 1,000 events, hand-over included; what the worker does then is not the page's time. */
async function pageTime(): Promise<CaptureFigures['page']> {
  const client = open();
  await client.flush();
  const echo = new Worker(writerUrl, { type: 'module' });
  const remote = wrap<EventWriter>(echo);
  await remote.ignore('');
  const times = { ours: [] as number[], postMessage: [] as number[], comlink: [] as number[] };
  for (let round = 0; round < 12; round++) {
    times.ours.push(timed(() => capture(client, CALLS)));
    await client.flush();
    times.postMessage.push(
      timed(() => {
        for (let i = 0; i < CALLS; i += 100) {
          const batch: string[] = [];
          for (let n = i; n < i + 100; n++)
            batch.push(JSON.stringify({ id: n, type: 'page.viewed', data: data(n) }));
          echo.postMessage(batch);
        }
      }),
    );
    const sent: Promise<void>[] = [];
    times.comlink.push(
      timed(() => {
        for (let n = 0; n < CALLS; n++)
          sent.push(remote.ignore(JSON.stringify({ id: n, type: 'page.viewed', data: data(n) })));
      }),
    );
    await Promise.all(sent);
  }
  echo.terminate();
  await client.dispose();
  const each = (all: readonly number[]): number => (median(all.slice(2)) / CALLS) * 1000;
  return { ours: each(times.ours), postMessage: each(times.postMessage), comlink: each(times.comlink) };
}

function capture(client: Client, count: number): void {
  for (let n = 0; n < count; n++) client.capture('page.viewed', data(n));
}

function timed(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** From the page's call to the answer that all is committed. */
async function toDisk(): Promise<CaptureFigures['durable']> {
  const writer = new Worker(writerUrl, { type: 'module' });
  const remote = wrap<EventWriter>(writer);
  const name = 'bench-alone';
  await remote.open(name);
  const took = await alternate(
    {
      ours: async () => {
        const client = open();
        capture(client, DURABLE);
        await client.flush();
        mustEqual(client.status().committed, DURABLE, 'events committed');
        await client.dispose();
      },
      alone: async () => {
        for (let n = 0; n < DURABLE_ALONE; n++)
          await remote.write({ id: `${n}`, type: 'page.viewed', data: data(n) });
      },
    },
    3,
  );
  await remote.close();
  writer.terminate();
  await deleteDB(name);
  return { ours: (DURABLE / took.ours) * 1000, alone: (DURABLE_ALONE / took.alone) * 1000 };
}

/** One event at a time: the durable receipt, against one raw transaction in the page itself. */
async function receipts(): Promise<CaptureFigures['receipt']> {
  const client = open();
  await client.flush();
  const database = await openDB('bench-raw', 1, {
    upgrade: (raw) => void raw.createObjectStore('events', { autoIncrement: true }),
  });
  const times = { ours: [] as number[], raw: [] as number[] };
  for (let n = 0; n < RECEIPTS; n++) {
    let start = performance.now();
    await client.capture('page.viewed', data(n));
    times.ours.push(performance.now() - start);
    start = performance.now();
    const transaction = database.transaction('events', 'readwrite', { durability: 'relaxed' });
    void transaction.store.add({ type: 'page.viewed', data: data(n) });
    transaction.commit();
    await transaction.done;
    times.raw.push(performance.now() - start);
  }
  database.close();
  await client.dispose();
  await deleteDB('bench-raw');
  return { ours: median(times.ours), raw: median(times.raw) };
}

/** The oracle of the rest: what was captured is there for a client that comes later. */
async function keptAfterReload(): Promise<CaptureFigures['kept']> {
  const first = open('bench-kept');
  capture(first, DURABLE);
  await first.flush();
  await first.dispose();
  const second = open('bench-kept');
  let [there, after] = [0, 0];
  for (;;) {
    const page = await second.query({ after, limit: 5_000 });
    there += page.events.filter(({ event }) => event.type === 'page.viewed').length;
    after = page.next;
    if (!page.more) break;
  }
  await second.dispose();
  return { captured: DURABLE, there };
}

Object.assign(globalThis, { bench });
