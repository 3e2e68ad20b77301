/**
 * The event bus: brings each event to the handlers that subscribed to its type, and tells the publisher what each did.
 * One handler's failure or slowness never stops another. Where all handlers are synchronous, so is `publish`.
 *
 * @example
 * const bus = new EventBus({ catalogue: shop });
 * bus.subscribe('order.placed', (event) => total.add(event.data.total));
 * bus.subscribe('order.*', sendMail, { concurrency: 4, timeoutMs: 5_000, retry: { count: 3 } });
 * const { handled, failed } = await bus.publish(event);
 */
import { MillraceError } from '../errors.ts';
import type { Catalogue, DataOf, EventSchemas, TypeOf } from '../event/catalogue.ts';
import { asMadeEvent, type Event } from '../event/event.ts';
import { hostPorts, type Ports, type Undo } from '../ports.ts';
import { madeEventOf, type DeadLetter } from '../storage/dead-letters/dead-letter.ts';
import {
  HostDeadLetters,
  type DeadLetters,
  type DeadLetterStore,
  type Retried,
} from '../storage/dead-letters/dead-letters.ts';
import { MemoryDeadLetters } from '../storage/dead-letters/memory-dead-letters.ts';
import type { MaybePromise } from '../storage/storage.ts';
import { dispatch, dispatchTimed, type PublishReport } from './dispatch.ts';
import type { CallProbe } from './call-probe.ts';
import { checkNumber, invalidOption, type Handler } from './event-handler.ts';
import { EventStream, type EventStreamOptions } from './event-stream.ts';
import { Failures, type ErrorSink } from './failures.ts';
import { MiddlewareChain, type Middleware, type NamedMiddleware } from './middleware.ts';
import { Sampling, type CallObserver } from './sampling.ts';
import {
  selectorText,
  type BusEvent,
  type CatalogueEntry,
  type SelectedEvent,
  type TypeSelector,
} from './selector.ts';
import type { SubscribeOptions } from './subscriber.ts';
import { Subscriptions, type Subscription, type SubscriptionStats } from './subscriptions.ts';
import { Turns } from './turns.ts';
import { isThenable } from './thenable.ts';

export interface EventBusOptions<Schemas extends EventSchemas> {
  /** Types the bus. A strict one also refuses subscriptions to types that it does not name. */
  readonly catalogue?: Catalogue<Schemas> | undefined;
  /** Hears of every failed attempt. Default: the console. */
  readonly onError?: ErrorSink | undefined;
  /** Where events are kept that a handler was given up on. Default: in memory, the last 1,000. */
  readonly deadLetters?: DeadLetterStore | undefined;
  /** Default: the host's. */
  readonly ports?: Ports | undefined;
}

export interface WaitOptions<E extends Event = Event> {
  readonly filter?: ((event: E) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default: no limit. */
  readonly timeoutMs?: number | undefined;
}

/** Whole numbers since the bus was made. */
export interface BusStats extends SubscriptionStats {
  /** Events that a middleware did not pass on. */
  readonly dropped: number;
  /** Events that a middleware failed on before it passed them on. */
  readonly failed: number;
  /** Events that wait for their turn now. */
  readonly waiting: number;
}

export class EventBus<Schemas extends EventSchemas = {}> {
  /** What handlers and middleware were given up on. Driven again, an event comes to the one that failed, alone. */
  readonly deadLetters: DeadLetters;
  readonly #ports: Ports;
  readonly #catalogue: Catalogue<Schemas> | undefined;
  readonly #failures: Failures;
  readonly #subscriptions: Subscriptions;
  readonly #turns: Turns;
  readonly #middleware: MiddlewareChain;
  readonly #sampling = new Sampling();
  #used = 0;
  #closed = false;

  constructor(options: EventBusOptions<Schemas> = {}) {
    const letters = options.deadLetters ?? new MemoryDeadLetters();
    this.#ports = options.ports ?? hostPorts;
    this.deadLetters = new HostDeadLetters(letters, {
      now: () => this.#ports.now(),
      retry: (letter) => this.#redeliver(letter),
    });
    this.#catalogue = options.catalogue;
    this.#failures = new Failures('bus', options.onError, letters, this.#ports);
    this.#subscriptions = new Subscriptions({ ports: this.#ports, failures: this.#failures });
    this.#turns = new Turns((event) => this.#publish(event));
    this.#middleware = new MiddlewareChain(this.#failures);
  }

  /**
   * Calls the handler with each event of the type, or of the types that the pattern matches (`*` one word, `#` none or
   * more), from now on until it is unsubscribed.
   *
   * @throws MillraceError `query.invalid` for a handler or an option that cannot be, `topic.invalid` for a malformed
   *   pattern, `catalogue.unknown-type` where the catalogue is strict, `disposed` once the bus is closed.
   */
  subscribe<const Selector extends TypeSelector<Schemas>>(
    selector: Selector,
    handler: Handler<SelectedEvent<Schemas, Selector>>,
    options?: SubscribeOptions<SelectedEvent<Schemas, Selector>>,
  ): Subscription;
  subscribe<S extends EventSchemas, const Type extends TypeOf<S>>(
    entry: CatalogueEntry<S, Type>,
    handler: Handler<Event<Type, DataOf<S, Type>>>,
    options?: SubscribeOptions<Event<Type, DataOf<S, Type>>>,
  ): Subscription;
  subscribe(
    selector: string | { readonly type: string },
    handler: Handler<never>,
    options: SubscribeOptions<never> = {},
  ): Subscription {
    const text = this.#check(selector);
    return this.#subscriptions.add(text, handler as Handler, options as SubscribeOptions);
  }

  /** Ends the subscriptions of the handler to that selector. Whether there was one. */
  unsubscribe(selector: string | { readonly type: string }, handler: Handler<never>): boolean {
    return this.#subscriptions.remove(selectorText(selector), handler as Handler);
  }

  /** Puts the middleware innermost of those that there are. It is named by its function in reports and dead letters. */
  use(middleware: Middleware<BusEvent<Schemas>>): Undo {
    if (typeof middleware !== 'function')
      throw invalidOption('middleware', middleware, 'must be a function');
    const name = middleware.name === '' ? `middleware-${++this.#used}` : middleware.name;
    const layer: NamedMiddleware = { name, call: middleware as unknown as Middleware };
    return this.#middleware.add(layer);
  }

  /**
   * Brings the event to its handlers. The report is there at once, unless a handler, a middleware, or the wait for a turn
   * makes it a promise. It never rejects: what handlers and middleware fail with is in the report, at the error sink and
   * in the dead letters. A handler of concurrency 1 must not await what only itself can handle.
   *
   * From inside a handler, before its first `await`, the event waits until the one being dispatched has reached all of
   * its handlers (`turns.ts` says why).
   *
   * @throws MillraceError `event.invalid`; `limit.exceeded` where handlers publish in a circle; `disposed`
   */
  publish(event: BusEvent<Schemas>): MaybePromise<PublishReport> {
    if (this.#closed) throw closedError();
    return this.#turns.take(asMadeEvent(event));
  }

  /** Publishes them in their order, without waiting for one before the next; the reports come in the same order. */
  publishAll(events: Iterable<BusEvent<Schemas>>): MaybePromise<readonly PublishReport[]> {
    const reports = Array.from(events, (event) => this.publish(event));
    return reports.some(isThenable) ? Promise.all(reports) : (reports as PublishReport[]);
  }

  /**
   * Resolves to the next event of the type or pattern.
   *
   * @throws MillraceError as `subscribe` does; `timeout`; `disposed` when the bus closes; the signal's reason.
   */
  waitFor<const Selector extends TypeSelector<Schemas>>(
    selector: Selector,
    options: WaitOptions<SelectedEvent<Schemas, Selector>> = {},
  ): Promise<SelectedEvent<Schemas, Selector>> {
    const { filter, signal, timeoutMs } = options as WaitOptions;
    return new Promise((resolve, reject) => {
      checkNumber('timeoutMs', timeoutMs, 0);
      const text = this.#check(selector);
      signal?.throwIfAborted();
      const settled = (): void => undo?.();
      const found = (event: Event): void => {
        settled();
        resolve(event as SelectedEvent<Schemas, Selector>);
      };
      const ended = (): void => {
        settled();
        reject(signal?.aborted === true ? signal.reason : closedError());
      };
      const { unsubscribe } = this.#subscriptions.add(
        text,
        found,
        { filter, signal, once: true },
        ended,
      );
      const undo =
        timeoutMs === undefined
          ? undefined
          : this.#ports.after(timeoutMs, () => {
              reject(timeoutError(text, timeoutMs));
              unsubscribe();
            });
    });
  }

  /**
   * The events of the type or pattern from now on, buffered until they are read.
   *
   * @throws MillraceError as `subscribe` does
   */
  events<const Selector extends TypeSelector<Schemas>>(
    selector: Selector,
    options: EventStreamOptions<SelectedEvent<Schemas, Selector>>,
  ): EventStream<SelectedEvent<Schemas, Selector>> {
    const { filter, signal } = options as EventStreamOptions;
    const text = this.#check(selector);
    const stream = new EventStream<Event>(options);
    const push = (event: Event): unknown => stream.push(event);
    const { unsubscribe } = this.#subscriptions.add(text, push, { filter, signal }, () => stream.end());
    stream.attach(unsubscribe);
    return stream as unknown as EventStream<SelectedEvent<Schemas, Selector>>;
  }

  /** What has come to the handlers, and what of it failed. Costs a publish nothing but one count a type. */
  stats(): BusStats {
    const { dropped, failed } = this.#middleware;
    return { ...this.#subscriptions.stats(), dropped, failed, waiting: this.#turns.waiting };
  }

  /** Has a handler's call timed now and then. One observer at a time: another takes its place. */
  observe(observer: CallObserver): Undo {
    return this.#sampling.observe(observer);
  }

  /** Looks at every call of a handler, retries each for itself. One probe at a time: another takes its place. */
  probe(probe: CallProbe): Undo {
    return this.#subscriptions.probe(probe);
  }

  /** Ends every subscription, stream and wait. Publishing then throws `disposed`. Closing again does nothing. */
  close(): void {
    this.#closed = true;
    this.#subscriptions.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #publish(event: Event): MaybePromise<PublishReport> {
    if (this.#middleware.length === 0) return this.#dispatch(event);
    return this.#middleware.pass(event, this.#afterMiddleware);
  }

  readonly #afterMiddleware = (event: Event): MaybePromise<PublishReport> =>
    this.#turns.resume(() => this.#dispatch(event));

  /** A middleware passes the event on to all; a handler alone gets it. What fails is kept as ever. */
  async #redeliver(letter: DeadLetter): Promise<Retried> {
    if (this.#closed) throw closedError();
    const { name, detail } = letter.where;
    const event = madeEventOf(letter);
    if (detail === 'middleware') {
      const { status } = await this.#middleware.passFrom(name, event, this.#afterMiddleware);
      return status === 'failed' ? 'kept' : 'taken';
    }
    const subscriber = this.#subscriptions.named(name);
    if (subscriber === undefined) throw invalidOption('handler', name, 'must be subscribed');
    subscriber.counts.received++;
    const { failed } = await dispatch([subscriber], event, this.#failures);
    return failed > 0 ? 'kept' : 'taken';
  }

  #dispatch(event: Event): MaybePromise<PublishReport> {
    const ofType = this.#subscriptions.of(event.type);
    ofType.published++;
    const { subscribers } = ofType;
    if (this.#sampling.due()) return dispatchTimed(subscribers, event, this.#failures, this.#sampling);
    return dispatch(subscribers, event, this.#failures);
  }

  #check(selector: string | { readonly type: string }): string {
    if (this.#closed) throw closedError();
    const text = selectorText(selector);
    const known = this.#catalogue?.types as readonly string[] | undefined;
    const strange = this.#catalogue?.strict === true && !/[*#]/.test(text) && !known?.includes(text);
    if (!strange) return text;
    const message = `the bus's catalogue has no type ${JSON.stringify(text)}: nothing of it would come`;
    throw new MillraceError('catalogue.unknown-type', message, { type: text });
  }
}

function closedError(): MillraceError<'disposed'> {
  return new MillraceError('disposed', 'the event bus is closed', { what: 'event bus' });
}

function timeoutError(selector: string, timeoutMs: number): MillraceError<'timeout'> {
  const message = `no event of ${selector} came within ${timeoutMs} ms`;
  return new MillraceError('timeout', message, { what: `waitFor ${selector}`, timeoutMs });
}
