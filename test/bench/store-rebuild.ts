/**
 * Rebuilding an aggregate of many events from SQLite, against two floors. `JSON.parse` of the same lines, that lie in
 * memory as strings already, is what nobody who stores JSON comes below; it reads no database. The fair one reads its
 * lines from SQLite too, by hand: blobs of as many lines, without checksums, positions or events. And from a snapshot.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createEventFactory,
  encodeLine,
  EventStore,
  hostPorts,
  openSqlite,
  Repository,
  type AggregateDefinition,
  type Draft,
  type SqlDatabase,
} from '../../src/index.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import type { Row } from './table.ts';
import { alternate, mustEqual } from './timing.ts';

const EVENTS = 100_000;
const BATCH = 400;
const ROUNDS = 5;
const SNAPSHOT_LIMIT_MS = 5;

interface Stock {
  readonly count: number;
  readonly quantity: number;
}
type Added = Draft<
  'product.added',
  { productId: string; quantity: number; price: number; note: string }
>;
interface Line {
  readonly data: Added['data'];
}

const stock: AggregateDefinition<Stock, Added['data'], Added> = {
  name: 'stock',
  initialState: () => ({ count: 0, quantity: 0 }),
  decide: (data) => ({ type: 'product.added', data }),
  evolve: ({ count, quantity }, { data }) => ({ count: count + 1, quantity: quantity + data.quantity }),
};

export async function rebuildRows(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    return await measure(nodeSqlite(join(folder, 'ours')), nodeSqlite(join(folder, 'by-hand')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(ours: SqlDatabase, byHand: SqlDatabase): Promise<readonly Row[]> {
  const store = new EventStore(openSqlite(ours));
  const lines = await fill(store, byHand);
  const options = { source: 'till', ports: hostPorts, cache: 0 };
  const carts = new Repository(store, stock, options);
  const expected = lines.reduce((sum, line) => sum + (JSON.parse(line) as Line).data.quantity, 0);
  const times = await alternate(
    {
      ours: async () => {
        const { state, version } = await carts.rebuild('1');
        mustEqual(version, EVENTS, 'events folded');
        mustEqual(state.quantity, expected, 'the state');
      },
      parse: () => mustEqual(fold(lines).quantity, expected, 'the state, by JSON.parse alone'),
      byHand: () => mustEqual(fold(readByHand(byHand)).quantity, expected, 'the state, by hand'),
    },
    ROUNDS,
  );
  const rate = (ms: number): number => (EVENTS / ms) * 1000;
  const rebuilt = { unit: 'events/s', ours: rate(times.ours), goal: '>=0.8' };
  return [
    {
      case: `SQLite: rebuild of ${EVENTS} events, against JSON.parse of the lines in memory`,
      ...rebuilt,
      peer: rate(times.parse),
      ratio: times.parse / times.ours,
    },
    {
      case: `SQLite: rebuild of ${EVENTS} events, against blobs read and parsed by hand`,
      ...rebuilt,
      peer: rate(times.byHand),
      ratio: times.byHand / times.ours,
    },
    await fromSnapshot(store, expected),
  ];
}

async function fromSnapshot(store: EventStore, expected: number): Promise<Row> {
  const definition = { ...stock, snapshots: { every: EVENTS } };
  const open = () => new Repository(store, definition, { source: 'till', ports: hostPorts });
  await open().rebuild('1');
  const { get } = await alternate(
    {
      get: async () => {
        const { state, version } = await open().get('1');
        mustEqual(version, EVENTS, 'events in the snapshot');
        mustEqual(state.quantity, expected, 'the state from the snapshot');
      },
    },
    ROUNDS,
  );
  return {
    case: `SQLite: ${EVENTS} events from a snapshot, against ${SNAPSHOT_LIMIT_MS} ms`,
    unit: 'ms',
    ours: get,
    peer: SNAPSHOT_LIMIT_MS,
    ratio: get / SNAPSHOT_LIMIT_MS,
    goal: '<=1',
  };
}

async function fill(store: EventStore, byHand: SqlDatabase): Promise<readonly string[]> {
  const make = createEventFactory({ source: 'till', ports: hostPorts });
  byHand.exec('CREATE TABLE blobs (position INTEGER PRIMARY KEY, lines BLOB)');
  const encoder = new TextEncoder();
  const lines: string[] = [];
  for (let at = 0; at < EVENTS; at += BATCH) {
    const events = Array.from({ length: BATCH }, (_, i) =>
      make(
        'product.added',
        { productId: `espresso-${at + i}`, quantity: i % 7, price: 3.5, note: 'x'.repeat(150) },
        { subject: 'stock-1', correlationId: `visit-${i % 30}` },
      ),
    );
    await store.append(events);
    const batch = events.map((event) => flat(encodeLine(event)));
    byHand.exec('INSERT INTO blobs (lines) VALUES (?)', encoder.encode(batch.join('\n')));
    lines.push(...batch);
  }
  return lines;
}

/** A string of its own, as one that was read is: no rope that the first parse would have to flatten. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

function fold(lines: Iterable<string>): Stock {
  let state = stock.initialState();
  for (const line of lines) state = stock.evolve(state, JSON.parse(line) as Line & Added);
  return state;
}

function* readByHand(database: SqlDatabase): Generator<string> {
  const decoder = new TextDecoder();
  for (let position = 1; ; position++) {
    const [row] = database.exec('SELECT lines FROM blobs WHERE position = ?', position);
    if (row === undefined) return;
    yield* decoder.decode(row['lines'] as Uint8Array).split('\n');
  }
}
