/** Runs a task some time after it was first asked for, once for all who ask meanwhile, and never twice at the same time. */
import type { Ports, Undo } from '../../src/ports.ts';

export class Coalesced {
  readonly #ports: Pick<Ports, 'after'>;
  readonly #delayMs: number;
  readonly #task: () => Promise<void>;
  #undo: Undo | undefined;
  #running = false;
  #again = false;
  #stopped = false;

  /** The task handles its own errors. */
  constructor(ports: Pick<Ports, 'after'>, delayMs: number, task: () => Promise<void>) {
    this.#ports = ports;
    this.#delayMs = delayMs;
    this.#task = task;
  }

  ask(): void {
    if (this.#running) this.#again = true;
    else if (!this.#stopped) this.#undo ??= this.#ports.after(this.#delayMs, () => void this.#run());
  }

  /** Asks anew, so that the task runs only after a pause without asking. */
  postpone(): void {
    this.#undo?.();
    this.#undo = undefined;
    this.ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#undo?.();
  }

  async #run(): Promise<void> {
    this.#undo = undefined;
    this.#running = true;
    await this.#task();
    this.#running = false;
    if (!this.#again) return;
    this.#again = false;
    this.ask();
  }
}
