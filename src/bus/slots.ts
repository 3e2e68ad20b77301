/** Lets so many tasks run at a time; the others wait in a line of bounded length. */
import { MillraceError } from '../errors.ts';
import type { MaybePromise } from '../storage/storage.ts';
import { Fifo } from './fifo.ts';
import { isThenable } from './thenable.ts';

/** The most that wait for one handler: what comes then is refused. */
export const MAX_WAITING = 10_000;

export class Slots {
  readonly #limit: number;
  readonly #waiting = new Fifo<() => void>();
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * At once, where a slot is free and the task is synchronous. The task must not throw.
   *
   * @throws MillraceError `limit.exceeded` where too many wait.
   */
  run<T>(task: () => MaybePromise<T>): MaybePromise<T> {
    if (this.#taken < this.#limit) return this.#start(task);
    if (this.#waiting.length >= MAX_WAITING) {
      throw new MillraceError('limit.exceeded', `${MAX_WAITING} events wait for the handler already`, {
        limit: 'handler.waiting',
        maximum: MAX_WAITING,
        actual: MAX_WAITING + 1,
      });
    }
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.#start(task))));
  }

  #start<T>(task: () => MaybePromise<T>): MaybePromise<T> {
    this.#taken++;
    const result = task();
    if (!isThenable(result)) {
      this.#release();
      return result;
    }
    return result.then((value) => {
      this.#release();
      return value;
    });
  }

  #release(): void {
    this.#taken--;
    // One that was waiting may end at once, and then lets the next one in: a loop here, lest the stack grow with the line.
    if (this.#letting) return;
    this.#letting = true;
    while (this.#taken < this.#limit && this.#waiting.length > 0) this.#waiting.shift()!();
    this.#letting = false;
  }

  #letting = false;
}
