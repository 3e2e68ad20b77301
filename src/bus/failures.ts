/** Where every failure of a bus goes: each attempt to one error sink, each event that was given up to the dead letters. */
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import type { DeadLetterSink } from './dead-letters.ts';
import { isThenable } from './thenable.ts';

/** One attempt that failed. */
export interface HandlerFailure {
  readonly event: Event;
  readonly handler: string;
  readonly error: unknown;
  /** How often the handler was called so far. */
  readonly attempts: number;
  /** No retry follows: the event is a dead letter now. */
  readonly final: boolean;
  readonly topic?: string;
}

export type ErrorSink = (failure: HandlerFailure) => void;

export class Failures {
  readonly #sink: ErrorSink;
  readonly #deadLetters: DeadLetterSink;
  readonly #ports: Pick<Ports, 'now'>;

  constructor(sink: ErrorSink | undefined, deadLetters: DeadLetterSink, ports: Pick<Ports, 'now'>) {
    this.#sink = sink ?? logFailure;
    this.#deadLetters = deadLetters;
    this.#ports = ports;
  }

  /** Never throws: a sink's own defect is logged. */
  add(failure: HandlerFailure): void {
    try {
      this.#sink(failure);
    } catch (error) {
      console.error('the error sink threw', error);
    }
    if (failure.final) this.#bury(failure);
  }

  #bury({ event, handler, error, attempts, topic }: HandlerFailure): void {
    const at = this.#ports.now();
    const place = topic === undefined ? {} : { topic };
    const fail = (error: unknown): void => console.error('a dead letter was not kept', error);
    try {
      const kept = this.#deadLetters.add({
        event,
        handler,
        reason: words(error),
        error,
        attempts,
        at,
        ...place,
      });
      if (isThenable(kept)) kept.then(undefined, fail);
    } catch (error) {
      fail(error);
    }
  }
}

function logFailure({ event, handler, error, attempts, final }: HandlerFailure): void {
  const consequence = final ? 'the event is a dead letter' : 'it is retried';
  console.error(
    `${handler} failed on ${event.type} ${event.id}, attempt ${attempts}: ${consequence}`,
    error,
  );
}

function words(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'string' ? error : Object.prototype.toString.call(error);
}
