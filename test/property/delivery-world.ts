/** A subscription's scheduler over a real SQLite, a clock that is told, and a receiver that writes down what it took. */
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import { redriveDead } from '../../workers/edge/delivery/control.ts';
import { batchesOf, readCursor, takeIn, writeCursor } from '../../workers/edge/delivery/intake.ts';
import { readLedger } from '../../workers/edge/delivery/ledger.ts';
import type { Answer } from '../../workers/edge/delivery/outcome.ts';
import { Scheduler, type Attempt } from '../../workers/edge/delivery/scheduler.ts';
import { createTables, Status, type SqlDatabase } from '../../workers/edge/delivery/tables.ts';
import { hostPorts } from '../../src/ports.ts';

export interface Logged {
  readonly id: string;
  readonly lane: string;
  readonly line: string;
}

export interface Received {
  readonly sequence: number;
  readonly lines: readonly string[];
}

export interface WorldOptions {
  readonly concurrency: number;
  readonly batch: number;
  readonly retryForMs: number;
}

const SOURCE = 'shard-0';

export class World {
  readonly log: Logged[] = [];
  readonly received: Received[] = [];
  readonly everDead = new Set<number>();
  now = 1_000_000;
  /** Calls of the database until one fails, as if the machine had stopped there. */
  callsLeft = Infinity;
  #scheduler: Scheduler;
  #underWay: Attempt[] = [];
  /** Requests of a scheduler that is gone, which may still arrive. */
  readonly #ghosts: Attempt[] = [];
  readonly #options: WorldOptions;
  readonly #database: SqlDatabase;
  readonly #raw = nodeSqlite(':memory:');
  #seed = 7;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#database = {
      exec: (sql, ...bindings) => {
        if (this.callsLeft-- <= 0) throw new Error('the machine stops');
        return this.#raw.exec(sql, ...bindings);
      },
      transaction: (run) => this.#raw.transaction(run),
    };
    createTables(this.#raw);
    writeCursor(this.#raw, SOURCE, 0);
    this.#scheduler = this.#start();
  }

  get underWay(): readonly Attempt[] {
    return this.#underWay;
  }

  get ledger() {
    return readLedger(this.#raw);
  }

  /** Sequences by how they stand in the tables. */
  sequences(status: keyof typeof Status): readonly number[] {
    return this.#raw
      .exec(`SELECT sequence FROM delivery WHERE status = ? ORDER BY sequence`, Status[status])
      .map(({ sequence }) => sequence as number);
  }

  append(lane: string | undefined): void {
    const id = `e-${this.log.length + 1}`;
    this.log.push({ id, lane: lane ?? `i:${id}`, line: JSON.stringify({ id, lane }) });
  }

  pull(most: number): void {
    this.#stoppable(() => {
      const from = readCursor(this.#database, SOURCE)!;
      const events = this.log.slice(from, from + most);
      const batches = batchesOf(events, this.#options.batch);
      takeIn(this.#database, { source: SOURCE, from, to: from + events.length, batches }, this.now);
    });
  }

  begin(): void {
    this.#stoppable(() => void this.#underWay.push(...this.#scheduler.begin(this.now)));
  }

  /** The receiver has taken it or not, and its answer comes back, or another one, or none. */
  answer(which: number, { taken, answer }: { readonly taken: boolean; readonly answer: Answer }): void {
    const [attempt] = this.#underWay.splice(which % this.#underWay.length, 1);
    if (taken) this.#take(attempt!);
    this.#stoppable(() => this.#scheduler.settle(attempt!, answer, this.now));
    for (const sequence of this.sequences('dead')) this.everDead.add(sequence);
  }

  /** All that is in memory is lost. What was under way may have arrived, or arrives yet. */
  crash(): void {
    this.#ghosts.push(...this.#underWay);
    this.#underWay = [];
    this.#scheduler = this.#start();
  }

  ghost(which: number): void {
    const [attempt] = this.#ghosts.splice(which % Math.max(1, this.#ghosts.length), 1);
    if (attempt !== undefined) this.#take(attempt);
  }

  redrive(): void {
    redriveDead({
      database: this.#raw,
      scheduler: this.#scheduler,
      ports: { ...hostPorts, now: () => this.now },
    });
  }

  /** Everything succeeds from here on, until nothing waits. The clock goes where the scheduler asks. */
  drain(): void {
    this.callsLeft = Infinity;
    while (readCursor(this.#raw, SOURCE)! < this.log.length) this.pull(10);
    for (let turns = 0; this.ledger.waiting > 0 || this.#underWay.length > 0; turns++) {
      if (turns > 10_000) throw new Error('it never ends');
      this.begin();
      if (this.#underWay.length === 0) this.now = Math.max(this.now + 1, this.#scheduler.nextAt()!);
      while (this.#underWay.length > 0)
        this.answer(0, { taken: true, answer: { status: 200, latencyMs: 1 } });
    }
  }

  close(): void {
    this.#raw.close?.();
  }

  #take({ sequence, lines }: Attempt): void {
    this.received.push({ sequence, lines });
  }

  #start(): Scheduler {
    const { concurrency, retryForMs } = this.#options;
    // A plain generator, so that a run can be repeated.
    const random = (): number => (this.#seed = (this.#seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    return new Scheduler(this.#database, { concurrency, retryForMs, random });
  }

  #stoppable(run: () => void): void {
    try {
      run();
    } catch (error) {
      if ((error as Error).message !== 'the machine stops') throw error;
      this.callsLeft = Infinity;
      this.crash();
    }
  }
}
