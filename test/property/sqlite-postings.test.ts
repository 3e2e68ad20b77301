/**
 * Look-ups by a term over segments with their postings and those that are still without: whatever was merged, trimmed or
 * posted meanwhile, they give what a list gives.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { openSqlite, type SqlDatabase, type SqliteStorage } from '../../src/storage/sqlite.ts';
import type { Page, Query } from '../../src/storage/storage.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';

/** One is part of another, and some are written with escapes in JSON. */
const NAMES = ['a', 'ab', 'b"a"', 'b\\', '\\b', 'ж', '"', 'c","ta'] as const;
/** Commits behind each other: more than the tail holds, so that postings are put down again and again. */
const RUN = 150;

let made = 0;
function eventOf(at: number): Event {
  const name = (by: number): string => NAMES[Math.imul(at + 1, by) % NAMES.length]!;
  return makeEvent({
    id: `e-${++made}`,
    type: name(7),
    data: at,
    timestamp: 1_700_000_000_000 + at,
    source: 'test',
    priority: 2,
    correlationId: at % 3 === 0 ? name(11) : undefined,
    subject: at % 5 === 0 ? name(13) : undefined,
  });
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      count: fc.integer({ min: 1, max: RUN }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'compact' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('trim' as const),
      share: fc.double({ min: 0, max: 0.5, noNaN: true }),
    }),
  },
);
const name = fc.constantFrom(...NAMES);
const query: fc.Arbitrary<Query> = fc.record(
  {
    types: fc.array(name, { minLength: 1, maxLength: 3 }),
    correlationId: name,
    subject: name,
    direction: fc.constantFrom('forward' as const, 'backward' as const),
    limit: fc.constantFrom(1, 7, 100, 1000),
  },
  { requiredKeys: ['limit'] },
);

/** The oracle. */
function listed(
  events: readonly Event[],
  { types, correlationId, subject, direction }: Query,
): unknown[] {
  const found = events.filter(
    (event) =>
      (types === undefined || types.includes(event.type)) &&
      (correlationId === undefined || event.correlationId === correlationId) &&
      (subject === undefined || event.subject === subject),
  );
  return (direction === 'backward' ? found.toReversed() : found).map(({ id }) => id);
}

/** All pages of the query. */
function pages(storage: SqliteStorage, asked: Query): unknown[] {
  const found: unknown[] = [];
  const bound = asked.direction === 'backward' ? 'before' : 'after';
  for (let next: number | undefined; ;) {
    const page = storage.read({ ...asked, ...(next !== undefined && { [bound]: next }) }) as Page;
    found.push(...page.events.map(({ event }) => event.id));
    if (!page.more) return found;
    next = page.next;
  }
}

function commitAll(storage: SqliteStorage, events: readonly Event[]): void {
  for (const event of events) void storage.commit([{ events: [event] }]);
}

function countOf(database: SqlDatabase, sql: string): number {
  return database.exec(`SELECT count(*) AS count FROM ${sql}`)[0]!['count'] as number;
}

describe('postings in SQLite', () => {
  it('find the same events, whenever they are put down', async () => {
    let posted = 0;
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 2, maxLength: 8 }),
      fc.array(query, { minLength: 3, maxLength: 6 }),
      async (steps, queries) => {
        const database = nodeSqlite(':memory:');
        const storage = openSqlite(database);
        let events: Event[] = [];
        let trimmed = 0;
        for (const one of steps) {
          if (one.do === 'commit') {
            const more = Array.from({ length: one.count }, (_, i) =>
              eventOf(trimmed + events.length + i),
            );
            commitAll(storage, more);
            events.push(...more);
          } else if (one.do === 'compact') while (await storage.compact());
          else {
            const until = Math.floor(events.length * one.share);
            await storage.trim(trimmed + until);
            trimmed += until;
            events = events.slice(until);
          }
          for (const asked of queries) expect(pages(storage, asked)).toEqual(listed(events, asked));
        }
        posted += countOf(database, 'log_posting');
        database.close?.();
      },
    );
    await fc.assert(property, { numRuns: 60 });
    expect(posted).toBeGreaterThan(0);
  });

  it('are put down for many segments at a time, and never for more than a bound too late', () => {
    const database = nodeSqlite(':memory:');
    const storage = openSqlite(database);
    const tails: number[] = [];
    for (let i = 0; i < 3 * RUN; i++) {
      commitAll(storage, [eventOf(i)]);
      const segments =
        "log_segment WHERE first >= (SELECT value + 0 FROM log_state WHERE key = 'posted')";
      tails.push(countOf(database, segments));
    }
    expect(Math.max(...tails)).toBe(64);
    expect(tails.filter((tail, i) => tail < (tails[i - 1] ?? 0)).length).toBeLessThan((3 * RUN) / 32);
    database.close?.();
  });

  it('of a log of the first layout, where every segment had its own, are all found', () => {
    const database = nodeSqlite(':memory:');
    const events = Array.from({ length: 40 }, (_, i) => eventOf(i));
    commitAll(openSqlite(database), events);
    database.exec(
      'INSERT INTO log_posting SELECT value, first FROM log_segment CROSS JOIN json_each(terms)',
    );
    database.exec("DELETE FROM log_state WHERE key = 'posted'");
    database.exec("UPDATE log_state SET value = '1' WHERE key = 'layout'");
    const storage = openSqlite(database);
    const asked: Query = { types: ['a', 'ж'], limit: 1000 };
    expect(pages(storage, asked)).toEqual(listed(events, asked));
    const more = Array.from({ length: 200 }, (_, i) => eventOf(40 + i));
    commitAll(storage, more);
    expect(pages(storage, asked)).toEqual(listed([...events, ...more], asked));
    database.exec("UPDATE log_state SET value = '3' WHERE key = 'layout'");
    expect(() => openSqlite(database)).toThrow(expect.objectContaining({ code: 'storage.open-failed' }));
    database.close?.();
  });
});
