/** What a log in SQLite knows of its archive: which segments' lines are there, and which objects are to be deleted. */
import type { ArchivedSegment } from '../segments/archive.ts';
import type { Position } from '../position.ts';
import type { SqlDatabase, SqlRow, SqlValue } from './sql-database.ts';

/** A segment, as the archive chooses by. */
export interface SegmentSize {
  readonly first: Position;
  readonly count: number;
  readonly maxTime: number;
  /** Of its lines here; 0 where they are in the archive. */
  readonly bytes: number;
}

/** At a time, where the log stood: all up to the position had been in it for as long. */
export interface LogMark {
  readonly position: Position;
  /** In ms since the Unix epoch. */
  readonly at: number;
}

/** The row, among the values of the log itself, that says up to where nothing is left to be archived. */
const DONE = 'archived';

export function createArchiveTables(database: SqlDatabase, log: string): void {
  const statements = [
    `CREATE TABLE IF NOT EXISTS ${log}_archived (
       first INTEGER PRIMARY KEY, object TEXT NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
       checksum INTEGER NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS ${log}_archived_object ON ${log}_archived (object)`,
    `CREATE TABLE IF NOT EXISTS ${log}_unsettled (object TEXT PRIMARY KEY) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${log}_mark (at INTEGER PRIMARY KEY, position INTEGER NOT NULL)`,
  ];
  for (const sql of statements) database.exec(sql);
}

export class ArchiveTables {
  readonly #log: string;
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase, log: string) {
    this.#database = database;
    this.#log = log;
  }

  /** Where the segment's lines stand, where that is the archive. */
  find(first: Position): ArchivedSegment | undefined {
    const [row] = this.#exec(`SELECT * FROM ${this.#log}_archived WHERE first = ?`, first);
    return row && toArchived(row);
  }

  inObject(object: string): readonly ArchivedSegment[] {
    const sql = `SELECT * FROM ${this.#log}_archived WHERE object = ? ORDER BY first`;
    return this.#exec(sql, object).map(toArchived);
  }

  get any(): boolean {
    return this.#exec(`SELECT 1 FROM ${this.#log}_archived LIMIT 1`).length > 0;
  }

  stats(): { readonly segments: number; readonly objects: number; readonly bytes: number } {
    const [row] = this.#exec(
      `SELECT COUNT(*) AS segments, COUNT(DISTINCT object) AS objects, COALESCE(SUM(length), 0) AS bytes
       FROM ${this.#log}_archived`,
    );
    return {
      segments: row!['segments'] as number,
      objects: row!['objects'] as number,
      bytes: row!['bytes'] as number,
    };
  }

  /** The segment's lines are in the archive from now on, and no more here. */
  archive({ first, object, start, length, checksum }: ArchivedSegment): void {
    const values = [first, object, start, length, checksum];
    this.#exec(`INSERT INTO ${this.#log}_archived VALUES (?, ?, ?, ?, ?)`, ...values);
    this.#exec(`UPDATE ${this.#log}_segment SET lines = X'' WHERE first = ?`, first);
  }

  restore({ first }: ArchivedSegment, lines: Uint8Array<ArrayBuffer>): void {
    this.#exec(`UPDATE ${this.#log}_segment SET lines = ? WHERE first = ?`, lines, first);
    this.release(first);
  }

  /** The segment needs its object no more, which is to be deleted then: no object keeps what the log has not. */
  release(first: Position): void {
    const [row] = this.#exec(
      `DELETE FROM ${this.#log}_archived WHERE first = ? RETURNING object`,
      first,
    );
    if (row !== undefined) this.unsettle(row['object'] as string);
  }

  /** The object may be there, and is to be deleted, once what refers to it is brought back. */
  unsettle(object: string): void {
    this.#exec(`INSERT OR REPLACE INTO ${this.#log}_unsettled VALUES (?)`, object);
  }

  settle(object: string): void {
    this.#exec(`DELETE FROM ${this.#log}_unsettled WHERE object = ?`, object);
  }

  unsettled(most: number): readonly string[] {
    const rows = this.#exec(`SELECT object FROM ${this.#log}_unsettled LIMIT ?`, most);
    return rows.map((row) => row['object'] as string);
  }

  /** Those that start after `position`. */
  sizes(position: Position, most: number): readonly SegmentSize[] {
    const rows = this.#exec(
      `SELECT first, count, max_time, length(lines) AS bytes FROM ${this.#log}_segment
       WHERE first > ? ORDER BY first LIMIT ?`,
      ...[position, most],
    );
    return rows.map((row) => ({
      first: row['first'] as Position,
      count: row['count'] as number,
      maxTime: row['max_time'] as number,
      bytes: row['bytes'] as number,
    }));
  }

  /** Nothing up to it is left to be archived. */
  get done(): Position {
    const [row] = this.#exec(`SELECT value FROM ${this.#log}_state WHERE key = '${DONE}'`);
    return row === undefined ? 0 : Number(row['value']);
  }

  setDone(position: Position): void {
    const sql = `INSERT OR REPLACE INTO ${this.#log}_state VALUES ('${DONE}', ?)`;
    this.#exec(sql, String(position));
  }

  /** The oldest first. */
  marks(): readonly LogMark[] {
    const rows = this.#exec(`SELECT position, at FROM ${this.#log}_mark ORDER BY at`);
    return rows.map((row) => ({ position: row['position'] as Position, at: row['at'] as number }));
  }

  mark({ position, at }: LogMark): void {
    this.#exec(`INSERT OR REPLACE INTO ${this.#log}_mark (at, position) VALUES (?, ?)`, at, position);
  }

  forgetMarks(before: number): void {
    this.#exec(`DELETE FROM ${this.#log}_mark WHERE at < ?`, before);
  }

  #exec(sql: string, ...bindings: SqlValue[]): readonly SqlRow[] {
    return this.#database.exec(sql, ...bindings);
  }
}

function toArchived(row: SqlRow): ArchivedSegment {
  return {
    first: row['first'] as Position,
    object: row['object'] as string,
    start: row['start'] as number,
    length: row['length'] as number,
    checksum: row['checksum'] as number,
  };
}
