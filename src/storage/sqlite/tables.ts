/** The tables of one log in SQLite. A table without a rowid is one b-tree: one row written for each that is put. */
import { MillraceError } from '../../errors.ts';
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from '../../event/timestamp.ts';
import type { LogChange, SegmentHead, SegmentScan, SegmentTables } from '../segments/tables.ts';
import type { Segment, SegmentHeader } from '../segments/segment.ts';
import { decodeKey, encodeKey, jsonLists } from './bindings.ts';
import type { SqlDatabase, SqlRow, SqlValue } from './sql-database.ts';
import type { Position } from '../position.ts';
import type { JsonValue, ProducerHead, StoredValue } from '../storage.ts';

/** The layout's version, for later upgrades. */
const LAYOUT = 1;
const HEADER = 'first, count, min_time, max_time, first_id, last_id, checksum, terms, columns';
const HEADER_OF_POSTED = HEADER.replaceAll(/\w+/g, 's.$&');
/** What a statement is given by `#each`. */
const LISTED = '(SELECT value FROM json_each(?1))';
/** The head's row among the values of the log itself. */
const HEAD = 'head';

/** Durable Objects give an ArrayBuffer, `node:sqlite` a Uint8Array. */
type Blob = Uint8Array<ArrayBuffer> | ArrayBuffer;

export function createTables(database: SqlDatabase, log: string): void {
  const statements = [
    `CREATE TABLE IF NOT EXISTS ${log}_state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${log}_segment (
       first INTEGER PRIMARY KEY, count INTEGER NOT NULL, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL,
       first_id TEXT NOT NULL, last_id TEXT NOT NULL, checksum INTEGER NOT NULL,
       terms TEXT NOT NULL, columns BLOB NOT NULL, lines BLOB NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS ${log}_segment_id ON ${log}_segment (first_id) WHERE first_id <> ''`,
    `CREATE TABLE IF NOT EXISTS ${log}_posting (term TEXT, first INTEGER, PRIMARY KEY (term, first)) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${log}_unordered (id TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${log}_subject (subject TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${log}_producer (
       id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${log}_value (key BLOB PRIMARY KEY, json TEXT, bytes BLOB) WITHOUT ROWID`,
  ];
  for (const sql of statements) database.exec(sql);
  const [row] = database.exec(`SELECT value FROM ${log}_state WHERE key = 'layout'`);
  if (row === undefined) database.exec(`INSERT INTO ${log}_state VALUES ('layout', ?)`, String(LAYOUT));
  else if (row['value'] !== String(LAYOUT)) {
    throw new MillraceError(
      'storage.open-failed',
      `the log ${log} has layout ${String(row['value'])}, this version reads ${LAYOUT}: use the version that wrote it`,
      { log },
    );
  }
}

export class SqliteTables implements SegmentTables {
  readonly #log: string;
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase, log: string) {
    this.#database = database;
    this.#log = log;
  }

  head(): SegmentHead | undefined {
    const [row] = this.#exec(`SELECT value FROM ${this.#log}_state WHERE key = '${HEAD}'`);
    return row && (JSON.parse(row['value'] as string) as SegmentHead);
  }

  startOf(position: Position): Position {
    const sql = `SELECT first FROM ${this.#log}_segment WHERE first <= ? ORDER BY first DESC LIMIT 1`;
    return (this.#exec(sql, position)[0]?.['first'] as Position | undefined) ?? 0;
  }

  header(first: Position): SegmentHeader | undefined {
    const [row] = this.#exec(`SELECT ${HEADER} FROM ${this.#log}_segment WHERE first = ?`, first);
    return row && toHeader(row);
  }

  headerOfId(id: string): SegmentHeader | undefined {
    const sql = `SELECT ${HEADER} FROM ${this.#log}_segment WHERE first_id <> '' AND first_id <= ? ORDER BY first_id DESC LIMIT 1`;
    const [row] = this.#exec(sql, id);
    return row && toHeader(row);
  }

  headers(scan: SegmentScan): readonly SegmentHeader[] {
    const order = scan.direction === 'forward' ? 'ASC' : 'DESC';
    const bindings: SqlValue[] = [
      scan.from,
      scan.to,
      scan.minTime ?? MIN_TIMESTAMP,
      scan.maxTime ?? MAX_TIMESTAMP + 1,
    ];
    let source = `${this.#log}_segment`;
    if (scan.terms.length === 1) {
      // The postings are sorted by first within their term: one range of them is the answer, in its order.
      source = `${this.#log}_posting p CROSS JOIN ${this.#log}_segment s ON s.first = p.first AND p.term = ?5`;
      bindings.push(scan.terms[0]!);
    } else if (scan.terms.length > 1) {
      const terms = `SELECT value FROM json_each(?5)`;
      source = `(SELECT DISTINCT first AS posted FROM ${this.#log}_posting
         WHERE term IN (${terms}) AND first >= ?1 AND first < ?2) p CROSS JOIN ${this.#log}_segment s ON s.first = p.posted`;
      bindings.push(JSON.stringify(scan.terms));
    }
    const first = scan.terms.length === 1 ? 'p.first' : 'first';
    const rows = this.#exec(
      `SELECT ${scan.terms.length > 0 ? HEADER_OF_POSTED : HEADER} FROM ${source}
       WHERE ${first} >= ?1 AND ${first} < ?2 AND max_time >= ?3 AND min_time < ?4
       ORDER BY ${first} ${order} LIMIT ${scan.limit}`,
      ...bindings,
    );
    return rows.map(toHeader);
  }

  /** `substr` of a blob reads no page behind its end. */
  lines({ first }: SegmentHeader, start: number, end?: number): Uint8Array<ArrayBuffer> {
    const length = end === undefined ? Number.MAX_SAFE_INTEGER : end - start;
    const sql = `SELECT substr(lines, ?1, ?2) AS lines FROM ${this.#log}_segment WHERE first = ?3`;
    const [row] = this.#exec(sql, start + 1, length, first);
    return toBytes(row!['lines'] as Blob);
  }

  unordered(ids: readonly string[]): ReadonlyMap<string, Position> {
    const rows = this.#each(
      `SELECT id, position FROM ${this.#log}_unordered WHERE id IN ${LISTED}`,
      ids,
    );
    return new Map(rows.map((row) => [row['id'] as string, row['position'] as Position]));
  }

  versions(subjects: readonly string[]): ReadonlyMap<string, number> {
    const sql = `SELECT subject, version FROM ${this.#log}_subject WHERE subject IN ${LISTED}`;
    const rows = this.#each(sql, subjects);
    return new Map(rows.map((row) => [row['subject'] as string, row['version'] as number]));
  }

  producers(ids: readonly string[]): ReadonlyMap<string, ProducerHead> {
    const rows = this.#each(
      `SELECT id, epoch, seq FROM ${this.#log}_producer WHERE id IN ${LISTED}`,
      ids,
    );
    return new Map(
      rows.map((row) => [
        row['id'] as string,
        { epoch: row['epoch'] as number, seq: row['seq'] as number },
      ]),
    );
  }

  value(key: string): StoredValue | undefined {
    const [row] = this.#exec(`SELECT json, bytes FROM ${this.#log}_value WHERE key = ?`, encodeKey(key));
    return row && toValue(row);
  }

  values(prefix: string, after: string, limit: number): readonly (readonly [string, StoredValue])[] {
    const start = encodeKey(prefix);
    const rows = this.#exec(
      `SELECT key, json, bytes FROM ${this.#log}_value
       WHERE key >= ?1 AND key > ?2 AND substr(key, 1, ?3) = ?1 ORDER BY key LIMIT ?4`,
      ...[start, encodeKey(after), start.byteLength, limit],
    );
    return rows.map((row) => [decodeKey(row['key'] as Blob), toValue(row)]);
  }

  write(change: LogChange): void {
    for (const segment of change.removed) this.#removeSegment(segment);
    for (const segment of change.added) this.#addSegment(segment);
    const pair = `SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)`;
    // Replaced, where a damaged event left its entry behind when it was trimmed.
    this.#each(`INSERT OR REPLACE INTO ${this.#log}_unordered ${pair}`, change.unordered);
    this.#each(`DELETE FROM ${this.#log}_unordered WHERE id IN ${LISTED}`, change.forgotten);
    this.#each(`INSERT OR REPLACE INTO ${this.#log}_subject ${pair}`, [...change.versions]);
    for (const [id, { epoch, seq }] of change.producers) {
      this.#exec(`INSERT OR REPLACE INTO ${this.#log}_producer VALUES (?, ?, ?)`, id, epoch, seq);
    }
    for (const [key, value] of change.values) this.#putValue(key, value);
    this.#exec(
      `INSERT OR REPLACE INTO ${this.#log}_state VALUES ('${HEAD}', ?)`,
      JSON.stringify(change.head),
    );
  }

  #addSegment(segment: Segment): void {
    const { first, count, minTime, maxTime, firstId, lastId, checksum, columns, lines } = segment;
    const terms = JSON.stringify(segment.terms);
    this.#exec(
      `INSERT INTO ${this.#log}_segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[first, count, minTime, maxTime, firstId, lastId, checksum, terms, columns, lines],
    );
    this.#each(
      `INSERT INTO ${this.#log}_posting SELECT value, ${first} FROM json_each(?)`,
      segment.terms,
    );
  }

  #removeSegment({ first, terms }: SegmentHeader): void {
    this.#exec(`DELETE FROM ${this.#log}_segment WHERE first = ?`, first);
    this.#each(`DELETE FROM ${this.#log}_posting WHERE term IN ${LISTED} AND first = ?2`, terms, first);
  }

  #putValue(key: string, value: StoredValue | undefined): void {
    if (value === undefined) {
      this.#exec(`DELETE FROM ${this.#log}_value WHERE key = ?`, encodeKey(key));
      return;
    }
    const bytes = value instanceof Uint8Array ? value : null;
    const json = bytes === null ? JSON.stringify(value) : null;
    this.#exec(
      `INSERT OR REPLACE INTO ${this.#log}_value VALUES (?, ?, ?)`,
      encodeKey(key),
      json,
      bytes,
    );
  }

  /** Runs the statement for all items, as JSON texts that each stay below what one binding may hold. */
  #each(sql: string, items: readonly unknown[], ...more: SqlValue[]): readonly SqlRow[] {
    return jsonLists(items).flatMap((list) => this.#exec(sql, list, ...more));
  }

  #exec(sql: string, ...bindings: SqlValue[]): readonly SqlRow[] {
    return this.#database.exec(sql, ...bindings);
  }
}

function toHeader(row: SqlRow): SegmentHeader {
  let terms: readonly string[] | undefined;
  return {
    first: row['first'] as number,
    count: row['count'] as number,
    minTime: row['min_time'] as number,
    maxTime: row['max_time'] as number,
    firstId: row['first_id'] as string,
    lastId: row['last_id'] as string,
    // Parsed when it is first asked for: a look-up by id never does.
    get terms() {
      return (terms ??= JSON.parse(row['terms'] as string) as string[]);
    },
    checksum: row['checksum'] as number,
    columns: toBytes(row['columns'] as Blob),
  };
}

function toValue(row: SqlRow): StoredValue {
  const bytes = row['bytes'] as Blob | null;
  return bytes === null ? (JSON.parse(row['json'] as string) as JsonValue) : toBytes(bytes);
}

function toBytes(blob: Blob): Uint8Array<ArrayBuffer> {
  return blob instanceof ArrayBuffer ? new Uint8Array(blob) : blob;
}
