/** The page's end of its worker: calls whose errors keep their code, and that never hang when the worker is gone. */
import { proxy, releaseProxy, wrap, type ProxyMethods } from 'comlink';
import { MillraceError } from '../../src/errors.ts';
import type { LogSettings, OnStatus, WorkerCall, WorkerCalls } from './worker-api.ts';

/** How long a worker may take to close its log before it is ended. */
const CLOSE_MS = 2_000;

export class WorkerLink {
  readonly #worker: Worker;
  /** Held until the end: a proxy that is collected takes the calls in flight with it. */
  readonly #remote: WorkerCall & ProxyMethods;
  readonly #pending = new Set<(error: MillraceError) => void>();
  #ended: MillraceError | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.#remote = wrap(worker) as unknown as WorkerCall & ProxyMethods;
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
      await this.call('open', settings, proxy(onStatus));
    } finally {
      this.#worker.removeEventListener('error', failed);
    }
  }

  /** @throws MillraceError the worker's, by its code; `disposed` where the client was. */
  call<Name extends keyof WorkerCalls>(
    name: Name,
    ...asked: Parameters<WorkerCalls[Name]>
  ): Promise<Awaited<ReturnType<WorkerCalls[Name]>>> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#pending.add(reject);
      void this.#remote(name, ...asked)
        .then(
          (outcome) => {
            if (outcome.ok) resolve(outcome.value);
            else reject(MillraceError.fromWire(outcome.error));
          },
          (cause: unknown) => {
            const text = `the worker failed: ${String(cause)}`;
            reject(new MillraceError('storage.failed', text, { log: '', operation: name }, { cause }));
          },
        )
        .then(() => this.#pending.delete(reject));
    });
  }

  /** A call whose answer nobody waits for. */
  tell<Name extends keyof WorkerCalls>(name: Name, ...asked: Parameters<WorkerCalls[Name]>): void {
    this.call(name, ...asked).catch(() => {});
  }

  /** Closes the log and ends the worker, within a bounded time. */
  async dispose(): Promise<void> {
    if (this.#ended === undefined) {
      const closed = this.call('close').catch(() => {});
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]);
    }
    this.#end(disposed());
    this.#remote[releaseProxy]();
    this.#worker.terminate();
  }

  #end(error: MillraceError): void {
    this.#ended ??= error;
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }
}

export function disposed(): MillraceError<'disposed'> {
  return new MillraceError('disposed', 'the client was disposed: connect again', { what: 'client' });
}
