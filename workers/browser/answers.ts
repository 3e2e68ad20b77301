/**
 * A worker's answers to its page's batches: at once to a batch that somebody waits for, together to the others. The status goes
 * with them, and counts what they tell of.
 */
import type { Ports, Undo } from '../../src/ports.ts';
import type { Position } from '../../src/storage/storage.ts';
import { startingStatus, type Answer, type LogStatus, type Told } from './worker-api.ts';

/** With how many of the page's batches that came down the status counts. */
export type OnStatus = (status: LogStatus, appends: number) => void;

/** After a batch comes a status, mostly sooner than this. */
const TOGETHER_MS = 250;

export class Answers {
  readonly #ports: Pick<Ports, 'after'>;
  readonly #tell: (told: Told) => void;
  #held: Answer[] = [];
  #status = startingStatus();
  /** Batches that came down. */
  #appends = 0;
  /** Up to this batch the page waits. */
  #hurry = -1;
  #undo: Undo | undefined;

  constructor(ports: Pick<Ports, 'after'>, tell: (told: Told) => void) {
    this.#ports = ports;
    this.#tell = tell;
  }

  hurry(number: number): void {
    this.#hurry = Math.max(this.#hurry, number);
    this.#answer();
  }

  add(answer: Answer): void {
    this.#held.push(answer);
    const [number, outcome] = answer;
    if (outcome.ok) {
      this.#appends++;
      this.#status = withHead(this.#status, Math.max(...outcome.value.positions));
    }
    const failed = !outcome.ok || outcome.value.failed.length > 0;
    // What one transaction has brought down is answered by one message.
    if (failed || number <= this.#hurry) queueMicrotask(() => this.#answer());
    else this.#undo ??= this.#ports.after(TOGETHER_MS, () => this.#answer());
  }

  /** One that was read before the last batch came down does not take that back. */
  status(status: LogStatus, appends: number): void {
    this.#status = appends < this.#appends ? withHead(status, this.#status.committed) : status;
    this.#send();
  }

  #answer(): void {
    if (this.#held.length > 0) this.#send();
  }

  #send(): void {
    this.#undo?.();
    this.#undo = undefined;
    const answers = this.#held;
    this.#held = [];
    this.#tell({ answers, status: this.#status });
  }
}

function withHead(status: LogStatus, head: Position): LogStatus {
  const added = Math.max(0, head - status.committed);
  return { ...status, committed: status.committed + added, waiting: status.waiting + added };
}
