/**
 * Decides what is delivered when: a state machine whose whole state is in its tables, but for what is under way. It is
 * asked what to attempt, and told what came of it; the clock is an argument. Where it is lost in between, what was
 * under way is attempted again under the same sequence.
 *
 * Promises, whatever the order of answers and losses: within a lane one delivery at a time, in the order of sequences,
 * the next once the one before is delivered or dead; never more under way than `concurrency`; nothing leaves the
 * tables but as delivered, dead or dropped.
 */
import { backoffMs } from './backoff.ts';
import { allowed, CLOSED, failed, type Breaker } from './breaker.ts';
import { attempted, readLedger, writeLedger, type Ledger } from './ledger.ts';
import { verdictOf, type Answer, type Verdict } from './outcome.ts';
import { allowance, allowedAt, paced } from './pace.ts';
import { addAttempt, trimHistory, type PastAttempt } from './history.ts';
import { Status, type SqlDatabase } from './tables.ts';

export interface SchedulerOptions {
  /** Attempts under way together: of requests 1 to 6, an object's own limit of connections. */
  readonly concurrency: number;
  /** How long a delivery is tried again, from its first failure, before it is a dead letter. */
  readonly retryForMs: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

export interface Attempt {
  readonly sequence: number;
  readonly lane: string;
  readonly lines: readonly string[];
  /** Attempts before this one. */
  readonly before: number;
  /** Goes out alone, to see whether the endpoint is back. */
  readonly probe: boolean;
  readonly startedAt: number;
}

export const retryLimits = {
  /** The first wait is at most this long; the ceiling doubles from there. */
  firstMs: 1_000,
  maximumMs: 14_400_000,
  /** The longest that `Retry-After` is obeyed. */
  retryAfterMs: 86_400_000,
} as const;

export class Scheduler {
  readonly #database: SqlDatabase;
  readonly #options: SchedulerOptions;
  /** Lanes with an attempt under way. Lost with the memory, and so are the attempts. */
  readonly #busy = new Set<string>();

  constructor(database: SqlDatabase, options: SchedulerOptions) {
    this.#database = database;
    this.#options = options;
  }

  get underWay(): number {
    return this.#busy.size;
  }

  /** What to attempt now, of an endpoint that takes so many requests a minute. Each is under way until it is settled. */
  begin(now: number, ratePerMinute?: number): readonly Attempt[] {
    const ledger = readLedger(this.#database);
    const { breaker, holdUntil, paceAt } = ledger;
    const most = ratePerMinute === undefined ? Infinity : allowance(paceAt, ratePerMinute, now);
    const free = Math.min(most, allowed(breaker, now, this.#options.concurrency) - this.#busy.size);
    if (now < holdUntil || free <= 0) return [];
    const lanes = this.#dueLanes(now, free + this.#busy.size).filter(
      ({ lane }) => !this.#busy.has(lane),
    );
    const attempts = lanes.slice(0, free).map(({ lane, head }) => {
      const [row] = this.#database.exec(`SELECT lines, attempts FROM delivery WHERE sequence = ?`, head);
      return {
        sequence: head,
        lane,
        lines: (row!['lines'] as string).split('\n'),
        before: row!['attempts'] as number,
        probe: breaker.opened > 0,
        startedAt: now,
      };
    });
    if (ratePerMinute !== undefined && attempts.length > 0)
      writeLedger(this.#database, {
        ...ledger,
        paceAt: paced(paceAt, ratePerMinute, now, attempts.length),
      });
    for (const { lane } of attempts) this.#busy.add(lane);
    return attempts;
  }

  /** Writes down what came of an attempt. */
  settle(attempt: Attempt, answer: Answer, now: number): Verdict {
    try {
      this.#database.transaction(() => {
        const judged = this.#judge(readLedger(this.#database), attempt, answer, now);
        const counted = attempted(judged, {
          ok: verdictOf(answer) === 'delivered',
          ms: answer.latencyMs,
        });
        writeLedger(this.#database, this.#write(counted, attempt, answer, now));
      });
    } finally {
      this.#busy.delete(attempt.lane);
    }
    return verdictOf(answer);
  }

  /** Lanes whose next delivery could be attempted now, as far as it is up to them: `most` at most. */
  due(now: number, most: number): number {
    return this.#dueLanes(now, most).length;
  }

  /** When there will be something to attempt, given that nothing is under way; `undefined` where nothing waits. */
  nextAt(): number | undefined {
    const [row] = this.#database.exec(`SELECT MIN(due_at) AS due_at FROM lane`);
    const dueAt = row?.['due_at'] as number | null;
    if (dueAt === null) return undefined;
    const { breaker, holdUntil, paceAt } = readLedger(this.#database);
    return Math.max(dueAt, holdUntil, breaker.probeAt, allowedAt(paceAt));
  }

  /**
   * Begins anew with an endpoint that was left alone on purpose: for `aloneMs`, which count for no delivery's schedule,
   * or, where that is left out, so that every schedule starts again. To be called in a transaction.
   */
  resume(now: number, aloneMs?: number): void {
    this.#database.exec(
      `UPDATE delivery SET first_failed_at = first_failed_at + ?
       WHERE status = ${Status.waiting} AND first_failed_at IS NOT NULL`,
      aloneMs ?? null,
    );
    this.#allDue(now);
    writeLedger(this.#database, { ...readLedger(this.#database), breaker: CLOSED, holdUntil: 0 });
  }

  #dueLanes(now: number, most: number): readonly { readonly lane: string; readonly head: number }[] {
    const rows = this.#database.exec(
      `SELECT lane, head FROM lane WHERE due_at <= ? ORDER BY due_at, head LIMIT ?`,
      ...[now, most],
    );
    return rows.map((row) => ({ lane: row['lane'] as string, head: row['head'] as number }));
  }

  /** What the answer says about the endpoint. */
  #judge(ledger: Ledger, { probe }: Attempt, answer: Answer, now: number): Ledger {
    const verdict = verdictOf(answer);
    const { retryAfterMs } = answer;
    const holdUntil =
      retryAfterMs === undefined || verdict === 'delivered'
        ? ledger.holdUntil
        : Math.max(ledger.holdUntil, now + Math.min(retryAfterMs, retryLimits.retryAfterMs));
    if (verdict === 'failed' || verdict === 'gone') {
      const { random } = this.#options;
      return { ...ledger, holdUntil, breaker: failed(ledger.breaker, { now, probe, random }) };
    }
    return { ...ledger, holdUntil, breaker: this.#close(ledger.breaker, now) };
  }

  /** Whatever waited for the endpoint to come back waits no more. */
  #close(breaker: Breaker, now: number): Breaker {
    if (breaker.opened > 0) this.#allDue(now);
    return breaker.failures === 0 && breaker.opened === 0 ? breaker : CLOSED;
  }

  #allDue(now: number): void {
    this.#database.exec(`UPDATE lane SET due_at = ?1 WHERE due_at > ?1`, now);
  }

  #write(ledger: Ledger, attempt: Attempt, answer: Answer, now: number): Ledger {
    const { sequence, lane, startedAt } = attempt;
    const [row] = this.#database.exec(
      `SELECT status, attempts, first_failed_at, trail FROM delivery WHERE sequence = ?`,
      sequence,
    );
    if (row?.['status'] !== Status.waiting) return ledger;
    const delivered = verdictOf(answer) === 'delivered';
    const firstFailedAt = delivered ? null : ((row['first_failed_at'] as number | null) ?? startedAt);
    const dead =
      firstFailedAt !== null &&
      verdictOf(answer) !== 'gone' &&
      (answer.final === true || now - firstFailedAt >= this.#options.retryForMs);
    const status = delivered ? Status.delivered : dead ? Status.dead : Status.waiting;
    const attempts = (row['attempts'] as number) + 1;
    const trail = addAttempt(row['trail'] as string, pastAttempt(attempt, answer));
    this.#database.exec(
      `UPDATE delivery SET status = ?, attempts = ?, first_failed_at = ?, settled_at = ?, trail = ?,
       lines = CASE WHEN ? THEN NULL ELSE lines END WHERE sequence = ?`,
      ...[status, attempts, firstFailedAt, status === Status.waiting ? null : now, trail],
      ...[delivered ? 1 : 0, sequence],
    );
    if (status === Status.waiting) {
      const wait = backoffMs(attempts - 1, { ...retryLimits, random: this.#options.random });
      this.#database.exec(`UPDATE lane SET due_at = ? WHERE lane = ?`, now + wait, lane);
      return ledger;
    }
    advanceLane(this.#database, lane, now);
    const characters = delivered ? attempt.lines.join('\n').length : 0;
    return settled(this.#database, ledger, { delivered, characters });
  }
}

/** The lane goes on with its next delivery, or ends. */
export function advanceLane(database: SqlDatabase, lane: string, now: number): void {
  const [row] = database.exec(
    `SELECT MIN(sequence) AS head FROM delivery WHERE lane = ? AND status = ${Status.waiting}`,
    lane,
  );
  const head = row!['head'] as number | null;
  if (head === null) database.exec(`DELETE FROM lane WHERE lane = ?`, lane);
  else database.exec(`INSERT OR REPLACE INTO lane VALUES (?, ?, ?)`, lane, head, now);
}

interface Settled {
  readonly delivered: boolean;
  /** Of lines that are kept no more. */
  readonly characters: number;
}

function settled(database: SqlDatabase, before: Ledger, { delivered, characters }: Settled): Ledger {
  const ledger = {
    ...before,
    waiting: before.waiting - 1,
    characters: before.characters - characters,
  };
  if (!delivered) return { ...ledger, dead: ledger.dead + 1 };
  trimHistory(database, ledger);
  return { ...ledger, delivered: ledger.delivered + 1 };
}

function pastAttempt({ startedAt }: Attempt, answer: Answer): PastAttempt {
  const { status, error, excerpt, latencyMs } = answer;
  return {
    at: startedAt,
    latencyMs: Math.round(latencyMs),
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error }),
    ...(excerpt !== undefined && { excerpt }),
  };
}
