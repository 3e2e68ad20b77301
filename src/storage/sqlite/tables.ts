/**
 * The tables of one log in SQLite. A table without a rowid is one b-tree: one row written for each that is put.
 *
 * Postings stand in the order of their terms, so those of one segment lie on as many pages as it has terms, and each of
 * those pages would be written with it. They are put down for many segments together, in that order, and so after
 * compaction has merged them: the newest segments, the tail, are searched by the terms in their own rows (as in a
 * log-structured merge tree; O'Neil et al., 1996).
 */
import { MillraceError } from '../../errors.ts';
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from '../../event/timestamp.ts';
import type { LogChange, SegmentHead, SegmentScan, SegmentTables } from '../segments/tables.ts';
import type { Segment, SegmentHeader } from '../segments/segment.ts';
import type { ArchivedLines, ArchivedPart } from '../segments/archived-lines.ts';
import { ArchiveTables, createArchiveTables } from './archive-tables.ts';
import { decodeKey, encodeKey, jsonLists } from './bindings.ts';
import type { SqlDatabase, SqlRow, SqlValue } from './sql-database.ts';
import type { Position } from '../position.ts';
import type { JsonValue, MaybePromise, ProducerHead, StoredValue } from '../storage.ts';

/** The layout's version, for later upgrades. In the first, every segment had its postings. */
const LAYOUT = 2;
/** Segments without postings: what a look-up by a term reads beside them. */
const MOST_IN_TAIL = 64;
const HEADER = 'first, count, min_time, max_time, first_id, last_id, checksum, terms, columns';
const HEADER_OF_POSTED = HEADER.replaceAll(/\w+/g, 's.$&');
/** What a statement is given by `#each`. */
const LISTED = '(SELECT value FROM json_each(?1))';
/** The head's row among the values of the log itself. */
const HEAD = 'head';
/** Segments that start before this position have their postings. */
const POSTED = 'posted';

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
  createArchiveTables(database, log);
  const [row] = database.exec(`SELECT value FROM ${log}_state WHERE key = 'layout'`);
  const found = row === undefined ? 1 : Number(row['value']);
  if (found > LAYOUT || !Number.isInteger(found)) {
    throw new MillraceError(
      'storage.open-failed',
      `the log ${log} has layout ${String(row?.['value'])}, this version reads ${LAYOUT}: use the version that wrote it`,
      { log },
    );
  }
  if (found === LAYOUT) return;
  database.exec(
    `INSERT INTO ${log}_state SELECT '${POSTED}', coalesce(max(first), 0) + 1 FROM ${log}_segment`,
  );
  database.exec(`INSERT OR REPLACE INTO ${log}_state VALUES ('layout', ?)`, String(LAYOUT));
}

export interface SqliteTablesOptions {
  readonly archived: ArchivedLines;
  /** What becomes of a script that needs lines which are not at hand. */
  readonly onAbsent: (part: ArchivedPart) => MaybePromise<Uint8Array<ArrayBuffer>>;
}

export class SqliteTables implements SegmentTables {
  readonly #log: string;
  readonly #database: SqlDatabase;
  readonly #archive: ArchiveTables;
  readonly #options: SqliteTablesOptions;

  constructor(database: SqlDatabase, log: string, options: SqliteTablesOptions) {
    this.#database = database;
    this.#log = log;
    this.#archive = new ArchiveTables(database, log);
    this.#options = options;
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
    if (scan.terms.length === 0) return this.#scan(scan, `${this.#log}_segment`, []);
    const posted = this.#posted();
    const parts: ((limit: number) => readonly SegmentHeader[])[] = [
      (limit) => this.#postedHeaders({ ...scan, to: Math.min(scan.to, posted), limit }),
      (limit) => this.#tailHeaders({ ...scan, from: Math.max(scan.from, posted), limit }),
    ];
    const [first, second] = scan.direction === 'forward' ? parts : parts.toReversed();
    const headers = first!(scan.limit);
    if (headers.length === scan.limit) return headers;
    return [...headers, ...second!(scan.limit - headers.length)];
  }

  #postedHeaders(scan: SegmentScan): readonly SegmentHeader[] {
    if (scan.from >= scan.to) return [];
    const [term, ...others] = scan.terms;
    // The postings are sorted by first within their term: one range of them is the answer, in its order.
    if (others.length === 0)
      return this.#scan(
        scan,
        `${this.#log}_posting p CROSS JOIN ${this.#log}_segment s ON s.first = p.first AND p.term = ?6`,
        [term!],
      );
    const terms = `SELECT value FROM json_each(?6)`;
    const source = `(SELECT DISTINCT first FROM ${this.#log}_posting
      WHERE term IN (${terms}) AND first >= ?1 AND first < ?2) p CROSS JOIN ${this.#log}_segment s ON s.first = p.first`;
    return this.#scan(scan, source, [JSON.stringify(scan.terms)]);
  }

  /** By the JSON of their terms: where it has that of a term in it by chance, the segment's columns say so. */
  #tailHeaders(scan: SegmentScan): readonly SegmentHeader[] {
    if (scan.from >= scan.to) return [];
    const terms = scan.terms.map((term) => JSON.stringify(term));
    const source = `(SELECT first FROM ${this.#log}_segment WHERE first >= ?1 AND first < ?2
      AND EXISTS (SELECT 1 FROM json_each(?6) WHERE instr(terms, value))) p CROSS JOIN ${this.#log}_segment s ON s.first = p.first`;
    return this.#scan(scan, source, [JSON.stringify(terms)]);
  }

  /** Of a `source` in which `p.first` may be, where there are terms. */
  #scan(scan: SegmentScan, source: string, more: readonly SqlValue[]): readonly SegmentHeader[] {
    const { from, to, direction, minTime = MIN_TIMESTAMP, maxTime = MAX_TIMESTAMP + 1, limit } = scan;
    const first = more.length > 0 ? 'p.first' : 'first';
    const order = direction === 'forward' ? 'ASC' : 'DESC';
    const rows = this.#exec(
      `SELECT ${more.length > 0 ? HEADER_OF_POSTED : HEADER} FROM ${source}
       WHERE ${first} >= ?1 AND ${first} < ?2 AND max_time >= ?3 AND min_time < ?4
       ORDER BY ${first} ${order} LIMIT ?5`,
      ...[from, to, minTime, maxTime, limit, ...more],
    );
    return rows.map(toHeader);
  }

  /** `substr` of a blob reads no page behind its end. */
  lines({ first }: SegmentHeader, start: number, end?: number): MaybePromise<Uint8Array<ArrayBuffer>> {
    const length = end === undefined ? Number.MAX_SAFE_INTEGER : end - start;
    const sql = `SELECT substr(lines, ?1, ?2) AS lines FROM ${this.#log}_segment WHERE first = ?3`;
    const [row] = this.#exec(sql, start + 1, length, first);
    // `substr` of an empty blob is NULL.
    const blob = row?.['lines'] as Blob | null | undefined;
    const lines = blob ? toBytes(blob) : new Uint8Array();
    // None: they are in the archive, or damaged.
    return lines.byteLength > 0 ? lines : this.#archivedLines(first, start, end, lines);
  }

  #archivedLines(
    first: Position,
    from: number,
    to: number | undefined,
    none: Uint8Array<ArrayBuffer>,
  ): MaybePromise<Uint8Array<ArrayBuffer>> {
    const segment = this.#archive.find(first);
    if (segment === undefined) return none;
    const part = { segment, from, to };
    const { archived, onAbsent } = this.#options;
    return archived.find(part) ?? onAbsent(part);
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
    this.#writeSegments(change);
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

  #writeSegments({ added, removed }: LogChange): void {
    if (added.length + removed.length === 0) return;
    const posted = this.#posted();
    for (const segment of removed) this.#removeSegment(segment, posted);
    for (const segment of added) this.#addSegment(segment, posted);
    const tail = `SELECT first FROM ${this.#log}_segment WHERE first >= ? ORDER BY first LIMIT 1 OFFSET ?`;
    const isFull = this.#exec(tail, posted, MOST_IN_TAIL).length > 0;
    if (!isFull) return;
    // The older half: the newer one is yet to be merged.
    const [middle] = this.#exec(tail, posted, MOST_IN_TAIL / 2);
    this.#post(posted, middle!['first'] as Position);
  }

  #addSegment(segment: Segment, posted: Position): void {
    const { first, count, minTime, maxTime, firstId, lastId, checksum, columns, lines } = segment;
    const terms = JSON.stringify(segment.terms);
    this.#exec(
      `INSERT INTO ${this.#log}_segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[first, count, minTime, maxTime, firstId, lastId, checksum, terms, columns, lines],
    );
    if (first >= posted) return;
    // One text for all segments: a database keeps what it has prepared by its text.
    const sql = `INSERT INTO ${this.#log}_posting SELECT value, ?2 FROM json_each(?1)`;
    this.#each(sql, segment.terms, first);
  }

  #removeSegment({ first, terms }: SegmentHeader, posted: Position): void {
    this.#exec(`DELETE FROM ${this.#log}_segment WHERE first = ?`, first);
    this.#archive.release(first);
    if (first >= posted) return;
    this.#each(`DELETE FROM ${this.#log}_posting WHERE term IN ${LISTED} AND first = ?2`, terms, first);
  }

  /** Those of a term come together, so that each page is written once. */
  #post(from: Position, to: Position): void {
    this.#exec(
      `INSERT OR IGNORE INTO ${this.#log}_posting SELECT value, first
       FROM ${this.#log}_segment CROSS JOIN json_each(terms) WHERE first >= ? AND first < ? ORDER BY 1, 2`,
      ...[from, to],
    );
    this.#exec(`UPDATE ${this.#log}_state SET value = ? WHERE key = '${POSTED}'`, String(to));
  }

  #posted(): Position {
    const [row] = this.#exec(`SELECT value FROM ${this.#log}_state WHERE key = '${POSTED}'`);
    return Number(row!['value']);
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
