import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createEventFactory,
  hasCode,
  hostPorts,
  makeEvent,
  openSqlite,
  type CommitResult,
  type Page,
  type Query,
} from 'millrace';
import { packSegments } from '../../src/storage/segments/segment.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import { jsonLists } from '../../src/storage/sqlite/bindings.ts';

const bytes = (text: string): number => new TextEncoder().encode(text).byteLength;

/** What a row of a Durable Object may hold. */
const ROW_BYTES = 2_000_000;

test('a segment’s row stays below what a Durable Object takes, in any script and with the longest terms', () => {
  const long = (n: number, length: number): string => `${n}`.padEnd(length, '事');
  const events = Array.from({ length: 900 }, (_, n) =>
    makeEvent({
      id: long(n, 128),
      type: long(n, 256),
      data: { text: '事'.repeat(n % 3 === 0 ? 4_000 : 10) },
      timestamp: n,
      source: 'shop',
      priority: 2,
      correlationId: long(n, 256),
      subject: long(n, 512),
    }),
  );
  const segments = packSegments(1, events, () => false);
  expect(segments.reduce((sum, { count }) => sum + count, 0)).toBe(events.length);
  const rows = segments.map(
    ({ lines, columns, terms }) => lines.byteLength + columns.byteLength + bytes(JSON.stringify(terms)),
  );
  expect(Math.max(...rows)).toBeLessThan(ROW_BYTES);
});

test('a list is bound in parts that each stay below what a binding takes, and loses nothing', () => {
  const items = Array.from({ length: 20_000 }, (_, n) => [`${n}`.padEnd(128, '事'), n] as const);
  const lists = jsonLists(items);
  expect(lists.length).toBeGreaterThan(1);
  expect(Math.max(...lists.map(bytes))).toBeLessThan(ROW_BYTES);
  expect(lists.flatMap((list) => JSON.parse(list) as unknown[])).toEqual(items);
  expect(jsonLists([])).toEqual([]);
});

test.each([
  // The first event's type, and nothing that its line is checked by: a query by type would pass over it in silence.
  ['in one value', `CAST(substr(columns, 1, 60) || x'0900' || substr(columns, 63) AS BLOB)`],
  ['in their length', 'substr(columns, 1, 10)'],
])(
  'a segment whose columns are damaged %s is named event by event, and the log goes on',
  (_, damaged) => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-columns-'));
    try {
      const database = nodeSqlite(join(folder, 'log.sqlite'));
      const log = openSqlite(database);
      const make = createEventFactory({ source: 'shop', ports: hostPorts });
      const events = Array.from({ length: 6 }, (_, n) => make('page.viewed', { n }));
      for (let at = 0; at < 6; at += 3) void log.commit([{ events: events.slice(at, at + 3) }]);
      database.exec(`UPDATE log_segment SET columns = ${damaged} WHERE first = 1`);
      const corruptAt = (query: Query): unknown => {
        try {
          return (log.read(query) as Page).events.map(({ position }) => position);
        } catch (error) {
          return hasCode(error, 'storage.corrupt') ? `corrupt at ${error.details.position}` : error;
        }
      };
      expect([0, 1, 2, 3].map((after) => corruptAt({ after, types: ['page.viewed'] }))).toEqual([
        'corrupt at 1',
        'corrupt at 2',
        'corrupt at 3',
        [4, 5, 6],
      ]);
      expect(corruptAt({ direction: 'backward' })).toEqual([6, 5, 4]);
      const again = log.commit([{ events: [events[0]!, events[5]!] }]) as readonly CommitResult[];
      expect(again).toMatchObject([{ ok: true, positions: [expect.any(Number), 6] }]);
      void log.trim(3);
      expect(corruptAt({ before: 7 })).toEqual([4, 5, 6]);
      void log.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
