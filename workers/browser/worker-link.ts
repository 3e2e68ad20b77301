/** The page's end of its worker: calls whose errors keep their code, and that never hang when the worker is gone. */
import { proxy, releaseProxy, wrap, type Remote } from 'comlink';
import { MillraceError } from '../../src/errors.ts';
import type { LogSettings, OnStatus, Outcome, WorkerApi } from './worker-api.ts';

/** How long a worker may take to close its log before it is ended. */
const CLOSE_MS = 2_000;

export class WorkerLink {
  readonly #worker: Worker;
  /** Held until the end: a proxy that is collected takes the calls in flight with it. */
  readonly #api: Remote<WorkerApi>;
  readonly #pending = new Set<(error: MillraceError) => void>();
  #ended: MillraceError | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.#api = wrap<WorkerApi>(worker);
  }

  async open(settings: LogSettings, onStatus: OnStatus): Promise<void> {
    // An error before the worker has answered at all is a script that did not load.
    const failed = (event: Event): void => {
      const why = (event as Partial<ErrorEvent>).message || 'its script did not load';
      const text = `the worker of log ${settings.log} cannot start: ${why}; nothing is kept`;
      this.#end(new MillraceError('storage.open-failed', text, { log: settings.log }));
    };
    this.#worker.addEventListener('error', failed);
    try {
      await this.call((api) => api.open(settings, proxy(onStatus)));
    } finally {
      this.#worker.removeEventListener('error', failed);
    }
  }

  /** @throws MillraceError the worker's, by its code; `disposed` where the client was. */
  call<T>(ask: (api: Remote<WorkerApi>) => Promise<Outcome<T>>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#pending.add(reject);
      const settle = (outcome: Outcome<T>): void => {
        this.#pending.delete(reject);
        if (outcome.ok) resolve(outcome.value);
        else reject(MillraceError.fromWire(outcome.error));
      };
      ask(this.#api).then(settle, (cause: unknown) => {
        this.#pending.delete(reject);
        const details = { log: '', operation: 'worker' };
        reject(
          new MillraceError('storage.failed', `the worker failed: ${String(cause)}`, details, { cause }),
        );
      });
    });
  }

  /** A call whose answer nobody waits for. */
  tell(ask: (api: Remote<WorkerApi>) => Promise<unknown>): void {
    if (this.#ended === undefined) ask(this.#api).catch(() => {});
  }

  /** Closes the log and ends the worker, within a bounded time. */
  async dispose(): Promise<void> {
    if (this.#ended === undefined) {
      const closed = this.call((api) => api.close()).catch(() => {});
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]);
    }
    this.#end(
      new MillraceError('disposed', 'the client was disposed: connect again', { what: 'client' }),
    );
    this.#api[releaseProxy]();
    this.#worker.terminate();
  }

  #end(error: MillraceError): void {
    this.#ended ??= error;
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }
}
