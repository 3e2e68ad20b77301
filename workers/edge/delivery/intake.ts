/**
 * Takes matching events in: each becomes part of a delivery with the next sequence, in the commit that moves the cursor
 * past it. So an event is in exactly one delivery, sequences have no gap, and what a delivery holds never changes.
 */
import type { Position } from '../../../src/storage/position.ts';
import { readLedger, writeLedger } from './ledger.ts';
import { Status, type SqlDatabase } from './tables.ts';

/** An event on its way into a delivery. */
export interface Taken {
  readonly id: string;
  readonly lane: string;
  readonly line: string;
}

export interface Batch {
  readonly lane: string;
  readonly ids: readonly string[];
  readonly lines: readonly string[];
}

export interface Intake {
  /** A shard's name, or a replay's. */
  readonly source: string;
  /** Where the cursor stood when the events were asked for. */
  readonly from: Position;
  readonly to: Position;
  readonly batches: readonly Batch[];
}

/** The most characters of lines in a delivery of several events; three bytes each stay below SQLite's 2 MB a row. */
const BATCH_CHARACTERS = 524_288;

export function readCursor(database: SqlDatabase, source: string): Position | undefined {
  const [row] = database.exec(`SELECT position FROM cursor WHERE source = ?`, source);
  return row?.['position'] as Position | undefined;
}

export function writeCursor(database: SqlDatabase, source: string, position: Position): void {
  database.exec(`INSERT OR REPLACE INTO cursor VALUES (?, ?)`, source, position);
}

/** Whether it was taken: not where the cursor has moved since. */
export function takeIn(database: SqlDatabase, intake: Intake, now: number): boolean {
  return database.transaction(() => {
    const { source, from, to, batches } = intake;
    if (readCursor(database, source) !== from) return false;
    if (to !== from) writeCursor(database, source, to);
    if (batches.length > 0) enqueue(database, batches, now);
    return true;
  });
}

function enqueue(database: SqlDatabase, batches: readonly Batch[], now: number): void {
  const ledger = readLedger(database);
  let { sequence, characters } = ledger;
  for (const { lane, ids, lines } of batches) {
    sequence++;
    const text = lines.join('\n');
    characters += text.length;
    database.exec(
      `INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 0, '[]')`,
      ...[sequence, lane, Status.waiting, JSON.stringify(ids), text, now],
    );
    for (const id of ids) database.exec(`INSERT OR IGNORE INTO carried VALUES (?, ?)`, id, sequence);
    database.exec(`INSERT INTO lane VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, lane, sequence, now);
  }
  const waiting = ledger.waiting + batches.length;
  writeLedger(database, { ...ledger, sequence, characters, waiting });
}

/** Puts events of one lane together, in their order, up to `most`; batches come in the order of their first events. */
export function batchesOf(events: readonly Taken[], most: number): readonly Batch[] {
  interface Open {
    readonly lane: string;
    readonly ids: string[];
    readonly lines: string[];
    characters: number;
  }
  const batches: Open[] = [];
  const open = new Map<string, Open>();
  for (const { id, lane, line } of events) {
    let batch = open.get(lane);
    if (
      batch === undefined ||
      batch.ids.length >= most ||
      batch.characters + line.length > BATCH_CHARACTERS
    ) {
      batch = { lane, ids: [], lines: [], characters: 0 };
      batches.push(batch);
      open.set(lane, batch);
    }
    batch.ids.push(id);
    batch.lines.push(line);
    batch.characters += line.length;
  }
  return batches;
}
