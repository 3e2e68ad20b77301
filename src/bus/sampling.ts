/**
 * Times a handler's call now and then: two looks at a clock cost more than most handlers do. What is counted is not
 * sampled: see `EventBus.stats`.
 */
import type { Undo } from '../ports.ts';
import { isThenable } from './thenable.ts';

/** Told how long calls take. Neither of its functions may throw. */
export interface CallObserver {
  /** In ms since any point; never goes back. */
  readonly clock: () => number;
  /** With which event from now on the next call is timed, from 1. Asked at the start and after each that was timed. */
  readonly gap: () => number;
  /** From the call until it answered, or until its promise settled; retries and the waits between them included. */
  readonly timed: (name: string, ms: number) => void;
}

export class Sampling {
  #observer: CallObserver | undefined;
  #left = 0;
  #turn = 0;

  /** One at a time: another takes its place. */
  observe(observer: CallObserver): Undo {
    this.#observer = observer;
    this.#left = observer.gap();
    return () => {
      if (this.#observer === observer) this.#observer = undefined;
    };
  }

  /** Whether a call of this event is to be timed. To be asked once an event. */
  due(): boolean {
    if (this.#observer === undefined || --this.#left > 0) return false;
    this.#left = this.#observer.gap();
    return true;
  }

  /** Which of so many calls, each in its turn. */
  pick(calls: number): number {
    return this.#turn++ % calls;
  }

  /** Answers what the call does. */
  time<T>(name: string, call: () => T): T | Promise<Awaited<T>> {
    const observer = this.#observer;
    if (observer === undefined) return call();
    const start = observer.clock();
    const end = (): void => observer.timed(name, observer.clock() - start);
    let answer: T;
    try {
      answer = call();
    } catch (error) {
      end();
      throw error;
    }
    if (!isThenable(answer)) {
      end();
      return answer;
    }
    // Some begin their work each time that they are waited for: once, here.
    const settled = Promise.resolve(answer);
    settled.then(end, end);
    return settled;
  }
}
