/**
 * An id that does not rise with the log has an entry of its own. Trimming forgets just those of what it trims, however
 * segments were merged meanwhile and whatever of them is damaged.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUuidV7 } from '../../src/event/ids.ts';
import { makeEvent } from '../../src/event/event.ts';
import { openSqlite, type SqlDatabase } from '../../src/storage/sqlite.ts';
import { damageRow } from '../conformance/drivers/damage-row.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';

/** UUIDv7 that rise with the log by and large, and some that were brought. */
const idAt = (at: number): string =>
  at % 7 === 0 ? `brought-${at}` : `018bcfe5-${`${at}`.padStart(4, '0')}-7000-8000-000000000000`;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ commit: fc.uniqueArray(fc.nat(20), { maxLength: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ trim: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ damage: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant({ compact: true as const }) },
);

const entriesOf = (database: SqlDatabase): unknown[] =>
  database.exec('SELECT id FROM log_unordered ORDER BY position').map((row) => row['id']);

const eventOf = (one: string) =>
  makeEvent({ id: one, type: 'a', data: 0, timestamp: 0, source: 's', priority: 2 });

describe('entries of ids', () => {
  it('are those of what is left, and no others', () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const database = nodeSqlite(':memory:');
        const storage = openSqlite(database, { log: 'log' });
        const ids: string[] = [];
        const unordered = new Set<string>();
        /** What a damaged event is called the log cannot tell: its entry may stay. */
        const damaged = new Set<unknown>();
        let [trimmed, maxId] = [0, ''];
        for (const each of steps) {
          if ('compact' in each) await storage.compact();
          else if ('damage' in each) {
            const one = ids[trimmed + each.damage];
            if (one === undefined) continue;
            damageRow(database, 'log', one);
            damaged.add(one);
          } else if ('trim' in each) {
            trimmed = Math.min(trimmed + each.trim, ids.length);
            await storage.trim(trimmed);
          } else {
            const from = ids.length;
            const fresh = each.commit
              .map((offset) => idAt(from + offset))
              .filter((one) => !ids.includes(one, trimmed) && !damaged.has(one));
            await storage.commit([{ events: fresh.map(eventOf) }]);
            for (const one of fresh) {
              ids.push(one);
              if (one > maxId && isUuidV7(one)) maxId = one;
              else unordered.add(one);
            }
          }
          const left = ids.slice(trimmed).filter((one) => unordered.has(one) && !damaged.has(one));
          expect(entriesOf(database).filter((one) => !damaged.has(one))).toEqual(left);
        }
        database.close?.();
      }),
      { numRuns: 500 },
    ));
});
