/**
 * Middleware around every publish, as an onion: the first that was used is the outermost. It may pass the event on, pass
 * on another one, pass it on later, or not at all.
 *
 * @example
 * bus.use((event, next) => (event.source === 'test' ? undefined : next(event))); // drops
 */
import { MillraceError } from '../errors.ts';
import { asMadeEvent, type Event } from '../event/event.ts';
import type { Undo } from '../ports.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { PublishReport } from './dispatch.ts';
import { invalidOption } from './event-handler.ts';
import type { Failures } from './failures.ts';
import { isThenable } from './thenable.ts';

/**
 * Passes the event on, and answers what became of it: at once where all that follows is synchronous.
 *
 * @throws MillraceError `event.invalid` for what is no event; `middleware.misused` where it is called twice, or after the
 *   middleware has ended: one that passes an event on later answers with a promise that lasts until then.
 */
export type Next<E extends Event = Event> = (event: E) => MaybePromise<PublishReport>;

/** What it answers is ignored, but that a promise is waited for. A failure before `next` ends the event's way. */
export type Middleware<E extends Event = Event> = (event: E, next: Next<E>) => unknown;

export interface NamedMiddleware {
  readonly name: string;
  readonly call: Middleware;
}

export class MiddlewareChain {
  readonly #failures: Failures;
  #layers: readonly NamedMiddleware[] = [];
  #dropped = 0;
  #failed = 0;

  constructor(failures: Failures) {
    this.#failures = failures;
  }

  get length(): number {
    return this.#layers.length;
  }

  /** Events that one did not pass on. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Events that one failed on, before it passed them on. */
  get failed(): number {
    return this.#failed;
  }

  /** Innermost. */
  add(layer: NamedMiddleware): Undo {
    this.#layers = [...this.#layers, layer];
    return () => {
      this.#layers = this.#layers.filter((other) => other !== layer);
    };
  }

  pass(event: Event, last: Next): MaybePromise<PublishReport> {
    return this.#pass(this.#layers, 0, event, last);
  }

  /** From the layer of that name on. @throws MillraceError `query.invalid` where there is none */
  passFrom(name: string, event: Event, last: Next): MaybePromise<PublishReport> {
    const depth = this.#layers.findIndex((layer) => layer.name === name);
    if (depth === -1) throw invalidOption('middleware', name, 'must be in use');
    return this.#pass(this.#layers, depth, event, last);
  }

  #pass(
    layers: readonly NamedMiddleware[],
    depth: number,
    event: Event,
    last: Next,
  ): MaybePromise<PublishReport> {
    const layer = layers[depth];
    if (layer === undefined) return last(event);
    let inner: MaybePromise<PublishReport> | undefined;
    let over: 'twice' | 'after it had ended' | undefined;
    const next: Next = (passed) => {
      if (over !== undefined) throw misused(layer.name, over);
      const made = passed === event ? event : asMadeEvent(passed);
      over = 'twice';
      inner = this.#pass(layers, depth + 1, made, last);
      return inner;
    };
    const end = (): MaybePromise<PublishReport> => {
      over ??= 'after it had ended';
      if (inner !== undefined) return inner;
      this.#dropped++;
      return emptyReport(event, 'dropped');
    };
    const fail = (error: unknown): MaybePromise<PublishReport> => {
      // An event that was passed on before has had its handlers: it is no dead letter.
      const final = inner === undefined;
      this.#failures.add({
        ...{ event, handler: layer.name, error, attempts: 1, final },
        middleware: true,
      });
      over ??= 'after it had ended';
      if (inner !== undefined) return inner;
      this.#failed++;
      return { ...emptyReport(event, 'failed'), error };
    };
    try {
      const answer = layer.call(event, next);
      return isThenable(answer) && answer !== inner ? Promise.resolve(answer.then(end, fail)) : end();
    } catch (error) {
      return fail(error);
    }
  }
}

function emptyReport(event: Event, status: PublishReport['status']): PublishReport {
  return { event, status, handled: 0, skipped: 0, failed: 0, outcomes: [] };
}

function misused(middleware: string, when: string): MillraceError<'middleware.misused'> {
  const reason = `next was called ${when}`;
  const advice = 'call it once at most, before what the middleware answers has settled';
  return new MillraceError('middleware.misused', `${middleware}: ${reason}; ${advice}`, {
    middleware,
    reason,
  });
}
