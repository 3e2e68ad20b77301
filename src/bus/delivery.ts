/**
 * Brings events to one handler, with a time limit and retries. It never throws or rejects: what happened is its answer,
 * and every failure goes where failures go.
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { Ports } from '../ports.ts';
import {
  checkNumber,
  type Attempt,
  type HandlerFunction,
  type HandlerOutcome,
} from './event-handler.ts';
import type { CallProbe } from './call-probe.ts';
import type { Failures } from './failures.ts';
import { checkRetry, retryDelayMs, type RetryOptions } from './retry.ts';
import { isThenable } from './thenable.ts';

export interface DeliveryOptions {
  /**
   * The longest that one attempt may take. The handler's signal is then aborted, and the attempt has failed; what the
   * handler still does is its own affair. A synchronous handler cannot be stopped. Default: no limit.
   */
  readonly timeoutMs?: number | undefined;
  /** Default: none, the first failure is the last. */
  readonly retry?: RetryOptions | undefined;
}

/** A failure's own object, for anything may be thrown, `undefined` too. */
interface Failed {
  readonly error: unknown;
}

export class Delivery {
  readonly #name: string;
  readonly #handler: HandlerFunction;
  #handle: HandlerFunction;
  readonly #options: DeliveryOptions;
  readonly #ports: Ports;
  readonly #failures: Failures;
  /** What is to be told when the delivery stops: attempts that run, and waits before a retry. */
  readonly #running = new Set<() => void>();
  #stopped: string | undefined;

  /** @throws MillraceError `query.invalid` */
  constructor(
    name: string,
    handle: HandlerFunction,
    options: DeliveryOptions,
    ports: Ports,
    failures: Failures,
  ) {
    checkNumber('timeoutMs', options.timeoutMs, 1);
    checkRetry(options.retry);
    this.#name = name;
    this.#handler = handle;
    this.#handle = handle;
    this.#options = options;
    this.#ports = ports;
    this.#failures = failures;
  }

  /** At once, where the handler is synchronous and needs no retry. */
  deliver(event: Event, topic?: string): MaybePromise<HandlerOutcome> {
    if (this.#stopped !== undefined) return { handler: this.#name, status: 'skipped', attempts: 0 };
    const first = this.#attempt(event, 1);
    if (first === undefined) return { handler: this.#name, status: 'handled', attempts: 1 };
    if (isThenable(first) || this.#goesOn(1)) return this.#deliver(event, topic, first);
    return this.#giveUp(event, topic, first.error, 1);
  }

  /** Has the handler's attempts looked at, each for itself, until it is `undefined`. */
  probe(probe: CallProbe | undefined): void {
    this.#handle = probe === undefined ? this.#handler : probe(this.#name, this.#handler);
  }

  /** Aborts what runs, and ends what waits for a retry: that is a dead letter then. It can be resumed. */
  stop(reason: string): void {
    this.#stopped = reason;
    for (const stop of [...this.#running]) stop();
  }

  resume(): void {
    this.#stopped = undefined;
  }

  async #deliver(
    event: Event,
    topic: string | undefined,
    first: MaybePromise<Failed | undefined>,
  ): Promise<HandlerOutcome> {
    let failed = await first;
    let attempts = 1;
    for (; failed !== undefined; failed = await this.#attempt(event, ++attempts)) {
      if (!this.#goesOn(attempts)) return this.#giveUp(event, topic, failed.error, attempts);
      this.#fail(event, topic, failed.error, attempts, false);
      await this.#wait(attempts);
      if (this.#stopped !== undefined) return this.#giveUp(event, topic, failed.error, attempts);
    }
    return { handler: this.#name, status: 'handled', attempts };
  }

  #attempt(event: Event, attempt: number): MaybePromise<Failed | undefined> {
    const running = new RunningAttempt(attempt);
    try {
      const answer = this.#handle(event, running);
      return isThenable(answer) ? this.#settle(answer, running) : undefined;
    } catch (error) {
      return { error };
    }
  }

  #settle(answer: PromiseLike<unknown>, running: RunningAttempt): Promise<Failed | undefined> {
    return new Promise((resolve) => {
      const { timeoutMs } = this.#options;
      const finish = (failed: Failed | undefined): void => {
        undo?.();
        this.#running.delete(stop);
        resolve(failed);
      };
      const end = (error: MillraceError): void => {
        running.abort(error);
        finish({ error });
      };
      const stop = (): void => end(stoppedError(this.#name, this.#stopped));
      const undo =
        timeoutMs === undefined
          ? undefined
          : this.#ports.after(timeoutMs, () => end(timeoutError(this.#name, timeoutMs)));
      this.#running.add(stop);
      answer.then(
        () => finish(undefined),
        (error: unknown) => finish({ error }),
      );
    });
  }

  #wait(attempts: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        undo();
        this.#running.delete(finish);
        resolve();
      };
      const delayMs = retryDelayMs(this.#options.retry!, attempts, this.#ports);
      const undo = this.#ports.after(delayMs, finish);
      this.#running.add(finish);
    });
  }

  #goesOn(attempts: number): boolean {
    return this.#stopped === undefined && attempts <= (this.#options.retry?.count ?? 0);
  }

  #giveUp(event: Event, topic: string | undefined, error: unknown, attempts: number): HandlerOutcome {
    this.#fail(event, topic, error, attempts, true);
    return { handler: this.#name, status: 'failed', attempts, error };
  }

  #fail(
    event: Event,
    topic: string | undefined,
    error: unknown,
    attempts: number,
    final: boolean,
  ): void {
    const place = topic === undefined ? {} : { topic };
    this.#failures.add({ event, handler: this.#name, error, attempts, final, ...place });
  }
}

/** Makes its signal when it is first asked for: most handlers never do. */
class RunningAttempt implements Attempt {
  readonly attempt: number;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(attempt: number) {
    this.attempt = attempt;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

function timeoutError(what: string, timeoutMs: number): MillraceError<'timeout'> {
  const text = `${what} took longer than ${timeoutMs} ms; what it still does is not waited for`;
  return new MillraceError('timeout', text, { what, timeoutMs });
}

export function stoppedError(what: string, reason: string | undefined): MillraceError<'disposed'> {
  return new MillraceError('disposed', `${what} was ${reason} while it ran`, { what });
}
