/** What a subscription's deliveries come to, kept in one row: its counts, and the endpoint's condition. */
import { CLOSED, type Breaker } from './breaker.ts';
import { readFact, writeFact, type SqlDatabase } from './tables.ts';

export interface Ledger {
  /** The last sequence that was given. */
  readonly sequence: number;
  readonly waiting: number;
  /** Of the lines of what waits or is dead. */
  readonly characters: number;
  readonly dead: number;
  readonly delivered: number;
  readonly dropped: number;
  readonly breaker: Breaker;
  /** The endpoint has asked to be left alone until then, in ms since the Unix epoch. */
  readonly holdUntil: number;
  /** How far ahead of the rate that the endpoint allows: see `pace.ts`. */
  readonly paceAt: number;
}

const EMPTY: Ledger = {
  sequence: 0,
  waiting: 0,
  characters: 0,
  dead: 0,
  delivered: 0,
  dropped: 0,
  breaker: CLOSED,
  holdUntil: 0,
  paceAt: 0,
};

export function readLedger(database: SqlDatabase): Ledger {
  return readFact(database, 'ledger') ?? EMPTY;
}

/** To be called in the transaction of what it accounts for. */
export function writeLedger(database: SqlDatabase, ledger: Ledger): void {
  writeFact(database, 'ledger', ledger);
}
