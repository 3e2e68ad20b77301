/** Where every failure of a bus goes: each attempt to one error sink, each event that was given up to the dead letters. */
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import { deadLetter, type DeadLetterPart } from '../storage/dead-letters/dead-letter.ts';
import type { DeadLetterStore } from '../storage/dead-letters/dead-letters.ts';
import { letterId } from '../storage/dead-letters/letter-id.ts';
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
  /** It was a middleware that failed. */
  readonly middleware?: true;
}

export type ErrorSink = (failure: HandlerFailure) => void;

export class Failures {
  readonly #sink: ErrorSink;
  readonly #part: DeadLetterPart;
  readonly #deadLetters: Pick<DeadLetterStore, 'add'>;
  readonly #ports: Pick<Ports, 'now'>;

  constructor(
    part: DeadLetterPart,
    sink: ErrorSink | undefined,
    deadLetters: Pick<DeadLetterStore, 'add'>,
    ports: Pick<Ports, 'now'>,
  ) {
    this.#part = part;
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

  #bury({ event, handler: name, error, attempts, topic, middleware }: HandlerFailure): void {
    const fail = (error: unknown): void => console.error('a dead letter was not kept', error);
    try {
      const detail = topic ?? (middleware && 'middleware');
      const id = letterId(event.id, name, ...(detail === undefined ? [] : [detail]));
      const where = { part: this.#part, name, ...(detail !== undefined && { detail }) };
      const at = this.#ports.now();
      const kept = this.#deadLetters.add(deadLetter({ id, where, event, error, attempts, at }));
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
