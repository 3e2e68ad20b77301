/** What a subscription's deliveries come to, kept in one row: its counts, and the endpoint's condition. */
import { Histogram, requestBuckets } from '../../../src/monitor/histogram.ts';
import type { HistogramValue } from '../../../src/monitor/metric.ts';
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
  /** Requests to the endpoint, and those that were no success. */
  readonly attempts: number;
  readonly failures: number;
  /** How long they took: see `latencyOf`. */
  readonly latency: Pick<HistogramValue, 'counts' | 'sum'>;
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
  attempts: 0,
  failures: 0,
  latency: new Histogram(requestBuckets).read(),
  breaker: CLOSED,
  holdUntil: 0,
  paceAt: 0,
};

export function readLedger(database: SqlDatabase): Ledger {
  // One that was written before there were all of its fields lacks some.
  return { ...EMPTY, ...readFact<Partial<Ledger>>(database, 'ledger') };
}

/** With one more attempt. */
export function attempted(
  ledger: Ledger,
  { ok, ms }: { readonly ok: boolean; readonly ms: number },
): Ledger {
  const histogram = new Histogram(requestBuckets);
  histogram.add(latencyOf(ledger));
  histogram.observe(ms / 1000);
  const { counts, sum } = histogram.read();
  const failures = ledger.failures + (ok ? 0 : 1);
  return { ...ledger, attempts: ledger.attempts + 1, failures, latency: { counts, sum } };
}

/** In seconds. */
export function latencyOf({ latency }: Ledger): HistogramValue {
  return { ...new Histogram(requestBuckets).read(), ...latency };
}

/** To be called in the transaction of what it accounts for. */
export function writeLedger(database: SqlDatabase, ledger: Ledger): void {
  writeFact(database, 'ledger', ledger);
}
