/** What became of deliveries: listed, and of the dead ones, attempted again or given up. */
import { MillraceError } from '../../../src/errors.ts';
import { readLedger, writeLedger, type Ledger } from './ledger.ts';
import { Status, statusNames, type SqlDatabase, type SqlRow, type StatusName } from './tables.ts';

/** One attempt, as it is shown. */
export interface PastAttempt {
  /** When it began, in ms since the Unix epoch. */
  readonly at: number;
  readonly latencyMs: number;
  readonly status?: number;
  readonly error?: string;
  readonly excerpt?: string;
}

export interface PastDelivery {
  readonly sequence: number;
  readonly status: StatusName;
  /** Of its events. */
  readonly ids: readonly string[];
  readonly createdAt: number;
  readonly settledAt?: number;
  readonly attempts: number;
  /** The last ones: see `historyLimits`. */
  readonly trail: readonly PastAttempt[];
}

export const historyLimits = {
  /** Attempts shown of a delivery: the first, and the last ones. */
  attempts: 10,
  /** Deliveries that are delivered or dropped and still shown. Those that wait, and dead letters, always are. */
  deliveries: 1_000,
} as const;

/** How many more are delivered before the oldest are forgotten together. */
const TRIM_EVERY = 64;

export interface HistoryOptions {
  /** Only sequences smaller than this one. */
  readonly before?: number | undefined;
  readonly status?: StatusName | undefined;
  readonly limit: number;
}

/** Dead letters, the oldest first: within an order they are attempted again as they came. */
export function deadSequences(database: SqlDatabase, limit: number): readonly number[] {
  return database
    .exec(`SELECT sequence FROM delivery WHERE status = ${Status.dead} ORDER BY sequence LIMIT ?`, limit)
    .map(({ sequence }) => sequence as number);
}

const COLUMNS = `sequence, status, ids, created_at, settled_at, attempts, trail`;

/** The newest first. */
export function listDeliveries(
  database: SqlDatabase,
  { before = Number.MAX_SAFE_INTEGER, status, limit }: HistoryOptions,
): readonly PastDelivery[] {
  // In the words of the index of dead letters, so that it is used.
  const only = status === undefined ? '' : `AND status = ${Status[status]}`;
  return database
    .exec(
      `SELECT ${COLUMNS} FROM delivery WHERE sequence < ? ${only} ORDER BY sequence DESC LIMIT ?`,
      ...[before, limit],
    )
    .map(deliveryOf);
}

/** @throws MillraceError `delivery.unknown` */
export function findDelivery(database: SqlDatabase, sequence: number): PastDelivery {
  const [row] = database.exec(`SELECT ${COLUMNS} FROM delivery WHERE sequence = ?`, sequence);
  if (row === undefined) throw unknown(sequence, 'there is none, or it was delivered long ago');
  return deliveryOf(row);
}

/** The deliveries that carry an event, as long as they are known: one, and one more for each replay. */
export function deliveriesOf(database: SqlDatabase, id: string): readonly PastDelivery[] {
  return database
    .exec(
      `SELECT ${COLUMNS} FROM delivery WHERE sequence IN (SELECT sequence FROM carried WHERE id = ?) ORDER BY sequence`,
      id,
    )
    .map(deliveryOf);
}

/**
 * A dead letter waits again, under its own sequence, before everything else of its lane. To be called in a transaction.
 *
 * @throws MillraceError `delivery.unknown`
 */
export function redrive(database: SqlDatabase, sequence: number, now: number): void {
  const lane = findDead(database, sequence);
  database.exec(
    `UPDATE delivery SET status = ${Status.waiting}, first_failed_at = NULL, settled_at = NULL WHERE sequence = ?`,
    sequence,
  );
  database.exec(
    `INSERT INTO lane VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET head = MIN(head, excluded.head), due_at = excluded.due_at`,
    ...[lane, sequence, now],
  );
  const ledger = readLedger(database);
  writeLedger(database, { ...ledger, dead: ledger.dead - 1, waiting: ledger.waiting + 1 });
}

/**
 * A dead letter is given up: its sequence stays a gap for the receiver. To be called in a transaction.
 *
 * @throws MillraceError `delivery.unknown`
 */
export function drop(database: SqlDatabase, sequence: number, now: number): void {
  findDead(database, sequence);
  const [row] = database.exec(`SELECT lines FROM delivery WHERE sequence = ?`, sequence);
  database.exec(
    `UPDATE delivery SET status = ${Status.dropped}, settled_at = ?, lines = NULL WHERE sequence = ?`,
    ...[now, sequence],
  );
  const ledger = readLedger(database);
  writeLedger(database, {
    ...ledger,
    dead: ledger.dead - 1,
    dropped: ledger.dropped + 1,
    characters: ledger.characters - (row!['lines'] as string).length,
  });
}

/** The trail with one more attempt, as JSON. */
export function addAttempt(trail: string, attempt: PastAttempt): string {
  const attempts = [...(JSON.parse(trail) as PastAttempt[]), attempt];
  if (attempts.length > historyLimits.attempts) attempts.splice(1, 1);
  return JSON.stringify(attempts);
}

/** Forgets the oldest that are delivered or dropped, now and then. */
export function trimHistory(database: SqlDatabase, { delivered, dropped }: Ledger): void {
  if ((delivered + dropped) % TRIM_EVERY > 0) return;
  const past = `status IN (${Status.delivered}, ${Status.dropped})`;
  const [row] = database.exec(
    `SELECT sequence FROM delivery WHERE ${past} ORDER BY sequence DESC LIMIT 1 OFFSET ${historyLimits.deliveries}`,
  );
  if (row === undefined) return;
  const last = row['sequence'] as number;
  const old = database.exec(`SELECT sequence, ids FROM delivery WHERE ${past} AND sequence <= ?`, last);
  for (const { sequence, ids } of old) {
    for (const id of JSON.parse(ids as string) as string[])
      database.exec(`DELETE FROM carried WHERE id = ? AND sequence = ?`, id, sequence!);
  }
  database.exec(`DELETE FROM delivery WHERE ${past} AND sequence <= ?`, last);
}

function findDead(database: SqlDatabase, sequence: number): string {
  const [row] = database.exec(`SELECT status, lane FROM delivery WHERE sequence = ?`, sequence);
  if (row?.['status'] === Status.dead) return row['lane'] as string;
  const status = row === undefined ? 'unknown' : statusNames[row['status'] as Status];
  throw unknown(sequence, `it is ${status}, no dead letter`);
}

function unknown(sequence: number, reason: string): MillraceError<'delivery.unknown'> {
  const message = `no such delivery as ${sequence}: ${reason}; list them to see which there are`;
  return new MillraceError('delivery.unknown', message, { sequence, reason });
}

function deliveryOf(row: SqlRow): PastDelivery {
  const settledAt = row['settled_at'] as number | null;
  return {
    sequence: row['sequence'] as number,
    status: statusNames[row['status'] as Status]!,
    ids: JSON.parse(row['ids'] as string) as string[],
    createdAt: row['created_at'] as number,
    ...(settledAt !== null && { settledAt }),
    attempts: row['attempts'] as number,
    trail: JSON.parse(row['trail'] as string) as PastAttempt[],
  };
}
