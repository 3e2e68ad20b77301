/**
 * What a shard does behind its answers: its view is caught up, its small segments are merged, its old ones are moved to
 * the archive. All of it goes in bounded steps with room for requests between them.
 *
 * Timers drive it, and an alarm stands behind them, which outlives the object's memory: it is set with the first commit,
 * in that commit's transaction, so that after a restart the work goes on by itself, with no request to start it.
 */
import type { Ports } from '../../src/ports.ts';
import type { Storage } from '../../src/storage/storage.ts';

export interface UpkeepArchive {
  /** One bounded step. Resolves to whether there is more to do. */
  step(): Promise<boolean>;
  /** When there will be more to do, with no commit to start it: in ms since the Unix epoch. */
  readonly nextAt: number | undefined;
}

export interface UpkeepOptions {
  readonly storage: Pick<Storage, 'compact'>;
  /** One bounded step. Resolves to whether there is more to do. */
  readonly catchUp: () => Promise<boolean>;
  /** Default: there is no archive. */
  readonly archive?: UpkeepArchive | undefined;
  /** Sets the object's alarm, in ms since the Unix epoch. */
  readonly setAlarm: (at: number) => Promise<void>;
  readonly ports: Pick<Ports, 'after' | 'now'>;
  readonly onError: (error: unknown) => void;
}

const COMMITS_A_COMPACTION = 64;
/** After a commit: under load, many are folded in one step, which costs little more than one of them. */
const PAUSE_MS = 100;
/** Between a commit and the alarm behind it. Long: one that finds nothing to do costs a wake-up. */
const ALARM_MS = 10_000;
/** After a failure. */
const RETRY_MS = 60_000;
/** What is not urgent wakes nobody more often. */
const FAR_MS = 3_600_000;
/** The steps of one alarm. */
const STEPS_AN_ALARM = 100;

export class Upkeep {
  readonly #options: UpkeepOptions;
  /** At its bound from the start: an object that sleeps between commits would never come to count so many. */
  #commits = COMMITS_A_COMPACTION;
  #scheduled = false;
  #compacting = false;
  #armed = false;
  #stepping: Promise<boolean> | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** To be called before a commit, so that the alarm goes down with it. Returns at once. */
  committing(): void {
    if (!this.#armed) this.arm(ALARM_MS);
  }

  /** To be called after each commit. Returns at once. */
  committed(): void {
    this.#commits++;
    this.#schedule(PAUSE_MS);
  }

  /** To be called where there is something left to do from before, as after a restart. */
  arm(delayMs = 0): void {
    const { setAlarm, ports, onError } = this.#options;
    this.#armed = true;
    setAlarm(ports.now() + delayMs).catch((error: unknown) => {
      this.#armed = false;
      onError(error);
    });
  }

  /** To be called when the alarm goes off. Whatever happens, one is set again where there is more to do. */
  async alarm(): Promise<void> {
    this.#armed = false;
    let again: number | undefined = 0;
    try {
      let steps = 0;
      while ((await this.#step()) && steps < STEPS_AN_ALARM) steps++;
      again = steps < STEPS_AN_ALARM ? undefined : 0;
    } catch (error) {
      again = RETRY_MS;
      this.#options.onError(error);
    } finally {
      if (again !== undefined) this.arm(again);
      else if (!this.#armed) this.#wakeLater();
    }
  }

  /** The object's one alarm is set, and yet not armed: a commit sets it to an earlier time. */
  #wakeLater(): void {
    const { archive, setAlarm, ports, onError } = this.#options;
    const at = archive?.nextAt;
    if (at !== undefined) setAlarm(Math.max(at, ports.now() + FAR_MS)).catch(onError);
  }

  #schedule(delayMs: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.ports.after(delayMs, () => void this.#run());
  }

  async #run(): Promise<void> {
    let more = false;
    try {
      more = await this.#step();
    } catch (error) {
      this.#options.onError(error);
    }
    this.#scheduled = false;
    if (more) this.#schedule(0);
  }

  /** One at a time, whoever asks. */
  #step(): Promise<boolean> {
    this.#stepping ??= this.#next().finally(() => (this.#stepping = undefined));
    return this.#stepping;
  }

  async #next(): Promise<boolean> {
    const { catchUp, storage, archive } = this.#options;
    if (await catchUp()) return true;
    if (this.#commits >= COMMITS_A_COMPACTION) {
      this.#commits = 0;
      this.#compacting = true;
    }
    if (this.#compacting) {
      this.#compacting = await storage.compact();
      return this.#compacting || archive !== undefined;
    }
    return (await archive?.step()) ?? false;
  }
}
