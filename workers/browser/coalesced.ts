/** Runs a task some time after it was first asked for, once for all who ask meanwhile, and never twice at the same time. */
import type { Ports, Undo } from '../../src/ports.ts';

/** After so long since the first, and after so many, nothing is postponed any more. */
export interface PostponeBounds {
  readonly forMs: number;
  readonly times: number;
}

export class Coalesced {
  readonly #ports: Pick<Ports, 'after' | 'now'>;
  readonly #delayMs: number;
  readonly #task: () => Promise<void>;
  #undo: Undo | undefined;
  #running = false;
  #again = false;
  /** Since when, and how often, the task was postponed. */
  #postponed: { readonly since: number; times: number } | undefined;
  #stopped = false;

  /** The task handles its own errors. */
  constructor(ports: Pick<Ports, 'after' | 'now'>, delayMs: number, task: () => Promise<void>) {
    this.#ports = ports;
    this.#delayMs = delayMs;
    this.#task = task;
  }

  ask(): void {
    if (this.#running) this.#again = true;
    else if (!this.#stopped) this.#undo ??= this.#ports.after(this.#delayMs, () => void this.#run());
  }

  /** Asks anew, so that the task runs only after a pause without asking: unless that has gone on for too long. */
  postpone({ forMs, times }: PostponeBounds): void {
    const now = this.#ports.now();
    this.#postponed ??= { since: now, times: 0 };
    if (now - this.#postponed.since < forMs && this.#postponed.times++ < times) {
      this.#undo?.();
      this.#undo = undefined;
    }
    this.ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#undo?.();
  }

  async #run(): Promise<void> {
    this.#undo = undefined;
    this.#running = true;
    this.#postponed = undefined;
    await this.#task();
    this.#running = false;
    if (!this.#again) return;
    this.#again = false;
    this.ask();
  }
}
