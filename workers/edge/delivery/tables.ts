/**
 * A subscription's tables, in its object's SQLite. A delivery's row holds its events' lines until they are delivered;
 * a lane's row stands for all that waits in it, so that what is due is found without looking at what waits behind.
 */
import type { SqlDatabase, SqlRow, SqlValue } from '../../../src/storage/sqlite/sql-database.ts';

export type { SqlDatabase, SqlRow, SqlValue };

/** As it is stored. */
export const Status = { waiting: 0, delivered: 1, dead: 2, dropped: 3 } as const;
export type Status = (typeof Status)[keyof typeof Status];
export type StatusName = keyof typeof Status;

export const statusNames: readonly StatusName[] = ['waiting', 'delivered', 'dead', 'dropped'];

const TABLES: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS cursor (source TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS delivery (
    sequence INTEGER PRIMARY KEY, lane TEXT NOT NULL, status INTEGER NOT NULL, ids TEXT NOT NULL, lines TEXT,
    created_at INTEGER NOT NULL, first_failed_at INTEGER, settled_at INTEGER,
    attempts INTEGER NOT NULL, trail TEXT NOT NULL)`,
  `CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (lane, sequence) WHERE status = ${Status.waiting}`,
  `CREATE INDEX IF NOT EXISTS delivery_dead ON delivery (sequence) WHERE status = ${Status.dead}`,
  `CREATE INDEX IF NOT EXISTS delivery_past ON delivery (sequence)
    WHERE status IN (${Status.delivered}, ${Status.dropped})`,
  `CREATE TABLE IF NOT EXISTS carried (id TEXT, sequence INTEGER, PRIMARY KEY (id, sequence)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS lane (lane TEXT PRIMARY KEY, head INTEGER NOT NULL, due_at INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS lane_due ON lane (due_at, head)`,
];

export function createTables(database: SqlDatabase): void {
  for (const statement of TABLES) database.exec(statement);
}

/** Whether there is a subscription: an object that was only asked for has no tables, and is given none. */
export function hasTables(database: SqlDatabase): boolean {
  const named = database.exec(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'fact'`);
  return named.length > 0;
}

/** A named fact of the subscription, as JSON. */
export function readFact<T>(database: SqlDatabase, name: string): T | undefined {
  const [row] = database.exec(`SELECT value FROM fact WHERE name = ?`, name);
  return row === undefined ? undefined : (JSON.parse(row['value'] as string) as T);
}

export function writeFact(database: SqlDatabase, name: string, value: unknown): void {
  database.exec(`INSERT OR REPLACE INTO fact VALUES (?, ?)`, name, JSON.stringify(value));
}
