/** When the next event of a replay is due. */
import type { Ports } from '../ports.ts';
import { invalidOption } from '../bus/event-handler.ts';

/** A factor of the recorded time, or as fast as can be. */
export type ReplaySpeed = number | 'max';

export interface PaceOptions {
  readonly speed?: ReplaySpeed | undefined;
  readonly longestWaitMs?: number | undefined;
}

/** A timer waits no longer. */
const LONGEST_MS = 2_147_483_647;

export class Pace {
  readonly #speed: ReplaySpeed;
  readonly #longestMs: number;
  readonly #ports: Pick<Ports, 'now' | 'after'>;
  /** The latest of the events' times so far, and when that event was due. */
  #last: { readonly time: number; readonly due: number } | undefined;

  /** @throws MillraceError `query.invalid` */
  constructor(
    { speed = 'max', longestWaitMs = Infinity }: PaceOptions,
    ports: Pick<Ports, 'now' | 'after'>,
  ) {
    if (speed !== 'max' && !(typeof speed === 'number' && Number.isFinite(speed) && speed > 0))
      throw invalidOption('speed', speed, 'must be a number above 0, or max');
    if (!(longestWaitMs >= 0))
      throw invalidOption('longestWaitMs', longestWaitMs, 'must be ms from 0 on');
    this.#speed = speed;
    this.#longestMs = longestWaitMs;
    this.#ports = ports;
  }

  /** Once the event of that time is due. Whether it is: not, where the signal was aborted. */
  async reached(time: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#speed === 'max') return signal?.aborted !== true;
    const now = this.#ports.now();
    const last = this.#last ?? { time, due: now };
    // From when the one before was due, not from when it was handled: so that no delay adds up.
    const waitMs = Math.min(Math.max(0, time - last.time) / this.#speed, this.#longestMs);
    const due = last.due + waitMs;
    this.#last = { time: Math.max(time, last.time), due };
    for (let left = due - now; left > 0; left = due - this.#ports.now()) {
      if (!(await this.#wait(Math.min(left, LONGEST_MS), signal))) return false;
    }
    return signal?.aborted !== true;
  }

  /** A turn for everybody else. Whether to go on. */
  rest(signal: AbortSignal | undefined): Promise<boolean> {
    return this.#wait(0, signal);
  }

  async #wait(delayMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted === true) return false;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        undo();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const undo = this.#ports.after(delayMs, end);
      signal?.addEventListener('abort', end);
    });
    return !isAborted(signal);
  }
}

/** Asked anew: it has changed while others ran. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
