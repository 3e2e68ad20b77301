/**
 * The edge on plain workerd, over HTTP, the full path (authorization, validation, dedupe, postings, windows), against
 * objects beside it that only store. `MILLRACE_BENCH_EVENTS=1000000 npm run bench -- edge` is the long form;
 * `MILLRACE_BENCH_PART=reads`, or `writes`, runs that part alone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Event } from '../../src/event/event.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { createKey } from '../../workers/edge/access/api-key.ts';
import { startPlainWorkerd, type PlainWorkerd } from '../plain-workerd.ts';
import { load, requestOf } from './edge/http-load.ts';
import { inBatches, sampleRequests } from './sample-requests.ts';
import type { Bench, Row } from './table.ts';
import { alternate, mustEqual } from './timing.ts';

const SMALL = 10_000;
const LARGE = Number(process.env['MILLRACE_BENCH_EVENTS'] ?? 200_000);
const PART = process.env['MILLRACE_BENCH_PART'];
const BATCH = 100;
const BATCHES_A_ROUND = 60;
const SINGLES_A_ROUND = 500;
const ROUNDS = 3;
const LOOKUPS = 100;
/** A shard's upkeep comes 100 ms after what it is for: it is not to fall on what is measured next. */
const REST_MS = 250;
const CONNECTIONS = { batches: 8, singles: 64, reads: 4 };
const tenants = ['rows', 'batches', 'pushes', 'singles', 'small', 'large'] as const;
type Tenant = (typeof tenants)[number];
type Keys = Readonly<Record<Tenant, string>>;

const bench: Bench = {
  name: 'edge',
  async run() {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-edge-'));
    const keys = {} as Record<Tenant, string>;
    const records = tenants.map(async (tenant) => {
      const { key, hash } = await createKey(['admin']);
      keys[tenant] = key;
      const limits = { requestsPerSecond: 1e9, burst: 1e9 };
      return { name: tenant, hash, scopes: ['admin'], tenant, limits };
    });
    const edge = await startPlainWorkerd({
      folder,
      entry: join(import.meta.dirname, '..', 'workers', 'edge-peers.ts'),
      objects: { BLOBS: 'Blobs', BARE: 'Bare' },
      variables: { MILLRACE_KEYS: JSON.stringify(await Promise.all(records)) },
    });
    try {
      return [
        ...(PART === 'reads' ? [] : await writes(edge, keys)),
        ...(PART === 'writes' ? [] : await reads(edge, keys)),
      ];
    } finally {
      await edge.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const arrayOf = (events: readonly Event[]): string => `[${events.map(encodeLine).join(',')}]`;

async function writes(edge: PlainWorkerd, keys: Keys): Promise<Row[]> {
  const { port } = edge;
  const rounds = ROUNDS + 1;
  const batches = inBatches(sampleRequests(rounds * BATCHES_A_ROUND * BATCH), BATCH);
  const singles = sampleRequests(rounds * SINGLES_A_ROUND);
  const turns = { posts: 0, pushes: 0, blobs: 0, singles: 0, bare: 0 };
  const some = (name: keyof typeof turns) => {
    const from = turns[name]++ * BATCHES_A_ROUND;
    return batches.slice(from, from + BATCHES_A_ROUND);
  };
  const someSingles = (name: keyof typeof turns) => {
    const from = turns[name]++ * SINGLES_A_ROUND;
    return singles.slice(from, from + SINGLES_A_ROUND);
  };
  const inBatchesOf = { port, connections: CONNECTIONS.batches };
  const single = { port, connections: CONNECTIONS.singles };
  await load(
    // So many that postings are put down, which are for many batches at a time.
    batches.map((batch) => requestOf({ path: '/events', key: keys.rows, body: arrayOf(batch) })),
    { port, connections: 1 },
  );
  // At once: what a shard has written is counted for as long as its object is awake.
  const written = await settled(edge, keys.rows);
  mustEqual(written.events, batches.length * BATCH, 'events stored');
  const took = await alternate(
    {
      posts: () =>
        load(
          some('posts').map((batch) =>
            requestOf({ path: '/events', key: keys.batches, body: arrayOf(batch) }),
          ),
          inBatchesOf,
        ),
      pushes: () =>
        load(
          some('pushes').map((batch, i) => pushOf(batch, `p-${turns.pushes}-${i}`, keys.pushes)),
          inBatchesOf,
        ),
      blobs: () =>
        load(
          some('blobs').map((batch) => requestOf({ path: '/peer/blobs', body: arrayOf(batch) })),
          inBatchesOf,
        ),
      singles: () =>
        load(
          someSingles('singles').map((event) =>
            requestOf({ path: '/events', key: keys.singles, body: encodeLine(event) }),
          ),
          single,
        ),
      bare: () =>
        load(
          someSingles('bare').map((event) => requestOf({ path: '/peer/bare', body: encodeLine(event) })),
          single,
        ),
    },
    ROUNDS,
    () => new Promise((done) => setTimeout(done, REST_MS)),
  );
  const stored = await settled(edge, keys.batches);
  mustEqual(stored.events, rounds * BATCHES_A_ROUND * BATCH, 'events stored of batches');
  mustEqual(
    (await settled(edge, keys.singles)).events,
    rounds * SINGLES_A_ROUND,
    'single events stored',
  );
  const rate = (ms: number, events: number): number => (events / ms) * 1000;
  const ofBatches = BATCHES_A_ROUND * BATCH;
  return [
    {
      case: `POST /events, ${BATCH} a request, against an object that stores each as one blob`,
      unit: 'events/s',
      ours: rate(took.posts, ofBatches),
      peer: rate(took.blobs, ofBatches),
      ratio: took.blobs / took.posts,
      goal: '>=0.4',
    },
    {
      case: `POST /sync/push, ${BATCH} a push, against the same`,
      unit: 'events/s',
      ours: rate(took.pushes, ofBatches),
      peer: rate(took.blobs, ofBatches),
      ratio: took.blobs / took.pushes,
      goal: '>=0.4',
    },
    {
      case: `POST /events, one a request at ${CONNECTIONS.singles} connections, against a bare handler with group commit`,
      unit: 'events/s',
      ours: rate(took.singles, SINGLES_A_ROUND),
      peer: rate(took.bare, SINGLES_A_ROUND),
      ratio: took.bare / took.singles,
      goal: '>=0.5',
    },
    {
      case: `rows written an event, ${BATCH} a request, with windows and upkeep, against a row each`,
      unit: 'rows',
      ours: written.rows / written.events,
      peer: 1,
      ratio: written.rows / written.events,
      goal: '<=1.5',
    },
  ];
}

function pushOf(batch: readonly Event[], producer: string, key: string): Buffer {
  const header = { producer, epoch: 1, seq: 1, count: batch.length, holes: [] };
  const body = [JSON.stringify(header), ...batch.map(encodeLine)].join('\n');
  return requestOf({ path: '/sync/push', key, body, contentType: 'application/x-ndjson' });
}

/** What the shard says of itself when it has done all that it does behind its answers. */
async function settled(edge: PlainWorkerd, key: string): Promise<{ events: number; rows: number }> {
  let before = { events: -1, rows: -1 };
  for (;;) {
    const answer = await fetch(`${edge.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
    const text = await answer.text();
    const of = (name: string): number =>
      Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1]);
    const now = { events: of('millrace_log_events'), rows: of('millrace_rows_written') };
    if (!Number.isFinite(now.events + now.rows)) throw new Error(`no figures of the log in:\n${text}`);
    if (now.events === before.events && now.rows === before.rows) return now;
    before = now;
    await new Promise((done) => setTimeout(done, 300));
  }
}

async function reads(edge: PlainWorkerd, keys: Keys): Promise<Row[]> {
  const events = sampleRequests(LARGE);
  await fill(edge, keys.small, events.slice(0, SMALL));
  await fill(edge, keys.large, events);
  const sample = (of: readonly Event[]) =>
    inBatches(of, Math.floor(of.length / LOOKUPS)).map(([event]) => event!);
  const [some, all] = [sample(events.slice(0, SMALL)), sample(events)];
  const paths: Readonly<Record<string, (event: Event) => string>> = {
    'by id': ({ id }) => `/events/${id}`,
    'the latest 100 of a type': ({ type }) => `/events/type/${type}?limit=100`,
    'the first 10 of a correlation': ({ correlationId }) =>
      `/events/correlation/${correlationId}?limit=10`,
  };
  const rows: Row[] = [];
  for (const [name, path] of Object.entries(paths)) {
    const ask = async (of: readonly Event[], key: string): Promise<void> => {
      const requests = of.map((event) => requestOf({ method: 'GET', path: path(event), key }));
      const answers = await load(requests, { port: edge.port, connections: CONNECTIONS.reads });
      for (const [i, { id, type, correlationId }] of of.entries()) {
        const [wanted] = name === 'by id' ? [id] : name.includes('type') ? [type] : [correlationId];
        mustEqual(answers[i]!.includes(`"${wanted}"`), true, `${name} gives ${wanted}`);
      }
    };
    const took = await alternate(
      { small: () => ask(some, keys.small), large: () => ask(all, keys.large) },
      ROUNDS,
    );
    rows.push({
      case: `GET ${name}, of ${LARGE.toLocaleString('en')} events against ${SMALL.toLocaleString('en')}`,
      unit: 'µs',
      ours: (took.large / all.length) * 1000,
      peer: (took.small / some.length) * 1000,
      ratio: took.large / all.length / (took.small / some.length),
      goal: '<=2',
    });
  }
  return rows;
}

async function fill(edge: PlainWorkerd, key: string, events: readonly Event[]): Promise<void> {
  const requests = inBatches(events, 2_000).map((batch) =>
    requestOf({ path: '/events', key, body: arrayOf(batch) }),
  );
  await load(requests, { port: edge.port, connections: 3 });
  mustEqual((await settled(edge, key)).events, events.length, 'events stored to be read');
}

export default bench;
