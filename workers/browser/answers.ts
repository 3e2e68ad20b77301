/** A worker's answers to its page's batches: at once to a batch that somebody waits for, together to the others. */
import type { Ports, Undo } from '../../src/ports.ts';
import type { Answer, LogStatus, Told } from './worker-api.ts';

/** After a batch comes a status, mostly sooner than this. */
const TOGETHER_MS = 250;

export class Answers {
  readonly #ports: Pick<Ports, 'after'>;
  readonly #tell: (told: Told) => void;
  #held: Answer[] = [];
  /** Up to this batch the page waits. */
  #hurry = -1;
  #undo: Undo | undefined;

  constructor(ports: Pick<Ports, 'after'>, tell: (told: Told) => void) {
    this.#ports = ports;
    this.#tell = tell;
  }

  hurry(number: number): void {
    this.#hurry = Math.max(this.#hurry, number);
    if (this.#held.length > 0) this.#send();
  }

  add(answer: Answer): void {
    this.#held.push(answer);
    const [number, outcome] = answer;
    // The page keeps what has failed, and tries it again.
    const failed = !outcome.ok || outcome.value.failed.length > 0;
    if (failed || number <= this.#hurry) this.#send();
    else this.#undo ??= this.#ports.after(TOGETHER_MS, () => this.#send());
  }

  /** The answers first: their batches are in the status. */
  status(status: LogStatus, appends: number): void {
    this.#send([status, appends]);
  }

  #send(status?: Told['status']): void {
    this.#undo?.();
    this.#undo = undefined;
    const answers = this.#held;
    this.#held = [];
    this.#tell({ answers, status });
  }
}
