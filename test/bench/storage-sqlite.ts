/** The SQLite driver on `node:sqlite`, in files, against raw SQLite: rows with indexes, and a blob a batch. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Event } from '../../src/event/event.ts';
import { openSqlite, type SqlDatabase } from '../../src/storage/sqlite.ts';
import type { Page, Query, Storage } from '../../src/storage/storage.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import { bytesAtRest, createBlobs, createRows, insertBlob, insertRows } from './raw-sqlite.ts';
import { inBatches, sampleRequests } from './sample-requests.ts';
import type { Row } from './table.ts';
import { alternate, mustEqual } from './timing.ts';

const EVENTS = 40_000;
const BATCH = 100;
const ROUNDS = 3;

export async function sqliteRows(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    return await measure((name) => nodeSqlite(join(folder, name)), sampleRequests(EVENTS));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  create: (name: string) => SqlDatabase,
  events: readonly Event[],
): Promise<readonly Row[]> {
  const batches = inBatches(events, BATCH);
  let files = 0;
  const kept = { ours: create('kept-ours'), rows: create('kept-rows') };
  const log = openSqlite(kept.ours);
  createRows(kept.rows);
  for (const batch of batches) {
    log.commit([{ events: batch }]);
    insertRows(kept.rows, batch);
  }
  const appended = await alternate(
    {
      ours: () => {
        const storage = openSqlite(create(`ours-${++files}`));
        for (const batch of batches) storage.commit([{ events: batch }]);
        mustEqual((storage.stats() as { events: number }).events, EVENTS, 'events stored');
      },
      rows: () => {
        const database = create(`rows-${++files}`);
        createRows(database);
        for (const batch of batches) insertRows(database, batch);
      },
      blobs: () => {
        const database = create(`blobs-${++files}`);
        createBlobs(database);
        for (const batch of batches) insertBlob(database, batch);
      },
    },
    ROUNDS,
  );
  const rate = (ms: number): number => (EVENTS / ms) * 1000;
  const append = { unit: 'events/s', ours: rate(appended.ours) };
  return [
    {
      case: `SQLite: append, ${BATCH} a commit, against rows with four indexes`,
      ...append,
      peer: rate(appended.rows),
      ratio: appended.rows / appended.ours,
      goal: '>=1.3',
    },
    {
      case: `SQLite: append, ${BATCH} a commit, against one blob a commit`,
      ...append,
      peer: rate(appended.blobs),
      ratio: appended.blobs / appended.ours,
      goal: '>=0.4',
    },
    ...(await reads(log, kept.rows, events)),
    {
      case: 'SQLite: bytes an event at rest, against rows',
      unit: 'bytes',
      ours: bytesAtRest(kept.ours) / EVENTS,
      peer: bytesAtRest(kept.rows) / EVENTS,
      ratio: bytesAtRest(kept.ours) / bytesAtRest(kept.rows),
      goal: '<=0.9',
    },
  ];
}

async function reads(
  log: Storage,
  rows: SqlDatabase,
  events: readonly Event[],
): Promise<readonly Row[]> {
  const some = inBatches(events, 97).map(([event]) => event!);
  const read = (query: Query): number =>
    (log.read(query) as Page).events.map(({ event }) => event).length;
  const select = (where: string, ...bindings: (string | number)[]): number =>
    rows
      .exec(`SELECT line FROM rows ${where}`, ...bindings)
      .map((row) => JSON.parse(row['line'] as string) as unknown).length;
  const latest = some.slice(0, 100);
  const cases = {
    'look-up by id': [
      () => some.reduce((sum, { id }) => sum + read({ id }), 0),
      () => some.reduce((sum, { id }) => sum + select('WHERE id = ?', id), 0),
      some.length,
    ],
    'the latest 100 of a type': [
      () =>
        latest.reduce(
          (sum, { type }) => sum + read({ types: [type], direction: 'backward', limit: 100 }),
          0,
        ),
      () =>
        latest.reduce(
          (sum, { type }) => sum + select('WHERE type = ? ORDER BY position DESC LIMIT 100', type),
          0,
        ),
      latest.length,
    ],
    'all of a correlation': [
      () => latest.reduce((sum, { correlationId }) => sum + read({ correlationId, limit: 1000 }), 0),
      () =>
        latest.reduce(
          (sum, { correlationId }) =>
            sum + select('WHERE correlation = ? ORDER BY position', correlationId!),
          0,
        ),
      latest.length,
    ],
    'all events, decoded': [
      () => pages((after) => log.read({ after, limit: 1000 }) as Page),
      () => {
        let [sum, after] = [0, 0];
        for (let n = 1000; n === 1000; after += n) {
          n = select('WHERE position > ? ORDER BY position LIMIT 1000', after);
          sum += n;
        }
        return sum;
      },
      1,
    ],
  } as const;
  const out: Row[] = [];
  for (const [name, [ours, peer, times]] of Object.entries(cases)) {
    mustEqual(ours(), peer(), name);
    const took = await alternate({ ours, peer }, ROUNDS);
    const figures = {
      ours: (took.ours / times) * 1000,
      peer: (took.peer / times) * 1000,
      ratio: took.ours / took.peer,
    };
    out.push({ case: `SQLite: ${name}, against rows`, unit: 'µs', ...figures, goal: '' });
  }
  return out;
}

function pages(read: (after: number) => Page): number {
  let [sum, after] = [0, 0];
  for (;;) {
    const page = read(after);
    sum += page.events.map(({ event }) => event).length;
    after = page.next;
    if (!page.more) return sum;
  }
}
