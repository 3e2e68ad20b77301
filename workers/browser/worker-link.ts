/**
 * The page's end of its worker: batches and calls whose errors keep their code, and that never hang when the worker is gone.
 */
import { releaseProxy, wrap, type ProxyMethods } from 'comlink';
import { MillraceError } from '../../src/errors.ts';
import type {
  Appended,
  Handed,
  HandedBatch,
  LogSettings,
  LogStatus,
  Outcome,
  Told,
  WorkerCall,
  WorkerCalls,
} from './worker-api.ts';

/** How long a worker may take to close its log before it is ended. */
const CLOSE_MS = 2_000;

type Settle<T = unknown> = (outcome: Outcome<T>) => void;

export class WorkerLink {
  readonly #worker: Worker;
  /** Held until the end: a proxy that is collected takes the calls in flight with it. */
  readonly #remote: WorkerCall & ProxyMethods;
  /** Who waits for an outcome: of a batch by its number, of a call by itself. */
  readonly #waiting = new Map<unknown, Settle>();
  #ended: MillraceError | undefined;

  constructor(worker: Worker, onStatus: (status: LogStatus) => void) {
    this.#worker = worker;
    this.#remote = wrap(worker) as unknown as WorkerCall & ProxyMethods;
    worker.addEventListener('message', ({ data }: MessageEvent<Partial<Told>>) => {
      // Comlink's own answers have none.
      if (data.status) onStatus(data.status);
      for (const [number, outcome] of data.answers ?? []) this.#waiting.get(number)?.(outcome);
    });
  }

  async open(settings: LogSettings): Promise<void> {
    // An error before the worker has answered at all is a script that did not load.
    const failed = (event: Event): void => {
      const why = (event as Partial<ErrorEvent>).message || 'its script did not load';
      const text = `the worker of log ${settings.log} cannot start: ${why}; nothing is kept`;
      this.#end(new MillraceError('storage.open-failed', text, { log: settings.log }));
    };
    this.#worker.addEventListener('error', failed);
    try {
      await this.call('open', settings);
    } finally {
      this.#worker.removeEventListener('error', failed);
    }
  }

  /** @throws MillraceError the worker's, by its code; `disposed` where the client was. */
  call<Name extends keyof WorkerCalls>(
    name: Name,
    ...asked: Parameters<WorkerCalls[Name]>
  ): Promise<Awaited<ReturnType<WorkerCalls[Name]>>> {
    return this.#ask((settle) => {
      // The worker's end never rejects: what was asked cannot be cloned.
      this.#remote(name, ...asked).then(settle, (cause) => {
        const text = `the worker cannot be asked: ${cause}`;
        const error = new MillraceError('storage.failed', text, { log: '', operation: name });
        settle({ ok: false, error: error.toWire() });
      });
    });
  }

  /** Rejects as `call` does. */
  append(batch: HandedBatch): Promise<Appended> {
    return this.#ask(() => this.#hand(batch), batch.number);
  }

  /** Somebody waits for the batch, and for those before it. */
  hurry(number: number): void {
    this.#hand(number);
  }

  /** A call whose answer nobody waits for. */
  tell<Name extends keyof WorkerCalls>(name: Name, ...asked: Parameters<WorkerCalls[Name]>): void {
    this.call(name, ...asked).catch(() => {});
  }

  /** Closes the log and ends the worker, within a bounded time. */
  async dispose(): Promise<void> {
    const closed = this.call('close').catch(() => {});
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]);
    this.#end(disposed());
    this.#remote[releaseProxy]();
    this.#worker.terminate();
  }

  #hand(handed: Handed): void {
    this.#worker.postMessage(handed);
  }

  /** Resolves or rejects as it is settled, or as the link ends before. */
  #ask<T>(ask: (settle: Settle<T>) => void, key: unknown = ask): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const settle: Settle<T> = (outcome) => {
        this.#waiting.delete(key);
        if (outcome.ok) resolve(outcome.value);
        else reject(MillraceError.fromWire(outcome.error));
      };
      this.#waiting.set(key, settle as Settle);
      ask(settle);
    });
  }

  #end(error: MillraceError): void {
    this.#ended ??= error;
    for (const settle of this.#waiting.values()) settle({ ok: false, error: error.toWire() });
  }
}

export function disposed(): MillraceError<'disposed'> {
  return new MillraceError('disposed', 'the client was disposed: connect again', { what: 'client' });
}
