/** A loop's one place to wait: for a time, or for a reason to go on sooner. */
import type { Ports } from '../ports.ts';

export class Wake<Reason extends string> {
  readonly #ports: Pick<Ports, 'after'>;
  #heard: ((reason: Reason) => void) | undefined;

  constructor(ports: Pick<Ports, 'after'>) {
    this.#ports = ports;
  }

  /** Waits for one of the reasons, at most `delayMs`. A reason that is called while nobody waits is not kept. */
  wait(reasons: readonly Reason[], delayMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        undo?.();
        this.#heard = undefined;
        resolve();
      };
      const undo = delayMs === undefined ? undefined : this.#ports.after(delayMs, finish);
      this.#heard = (reason) => {
        if (reasons.includes(reason)) finish();
      };
    });
  }

  call(reason: Reason): void {
    this.#heard?.(reason);
  }
}

/** Settles as the promise does, or rejects when the signal is aborted: whoever is asked to stop waits for nobody. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error('aborted'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(resolve, reject).then(() => signal.removeEventListener('abort', abort));
  });
}
