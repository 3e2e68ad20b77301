/** Makes a subscriber of a handler and its options: each option that is not asked for costs nothing per event. */
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import type { CallProbe } from './call-probe.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import { noCounts, Outcome, type Subscriber } from './dispatch.ts';
import {
  checkConcurrency,
  checkFunction,
  checkNumber,
  handlerFunction,
  invalidOption,
  type Handler,
  type HandlerFunction,
  type HandlerOutcome,
} from './event-handler.ts';
import type { Failures } from './failures.ts';
import { Slots } from './slots.ts';
import { isThenable } from './thenable.ts';

export interface SubscribeOptions<E extends Event = Event> extends DeliveryOptions {
  /** Says who failed, in reports and dead letters. Unique in its bus. Default: the function's name and a number. */
  readonly name?: string | undefined;
  /** Only events that it says yes to. Where it throws, the handler has failed on the event. */
  readonly filter?: ((event: E) => boolean) | undefined;
  /** Higher is called first; among equals, who subscribed first. Default: 0. */
  readonly priority?: number | undefined;
  /** Ends with the first event that passes the filter; its retries still follow. Default: false. */
  readonly once?: boolean | undefined;
  /**
   * How many events the handler may be busy with at a time; the others wait in their order, 10,000 at most, and what
   * comes then is a dead letter. Default: no limit.
   */
  readonly concurrency?: number | undefined;
  /** Unsubscribes when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What a subscriber is made in. */
export interface SubscriberHost {
  readonly ports: Ports;
  readonly failures: Failures;
}

export interface MadeSubscriber {
  readonly subscriber: Subscriber;
  /** Aborts what runs and lets what waits be skipped. */
  stop(): void;
  /** Has the handler's calls looked at, until it is `undefined`. */
  probe(probe: CallProbe | undefined): void;
}

/** @throws MillraceError `query.invalid`, its path an option's name */
export function makeSubscriber(
  handler: Handler,
  options: SubscribeOptions,
  { name, order }: { readonly name: string; readonly order: number },
  host: SubscriberHost,
  /** Takes it off the lists, and stops nothing. */
  retire: () => void,
): MadeSubscriber {
  checkOptions(options);
  const handle = handlerFunction(handler);
  const { timeoutMs, retry, concurrency = Infinity } = options;
  const plain = timeoutMs === undefined && retry === undefined && concurrency === Infinity;
  const delivery = plain ? undefined : new Delivery(name, handle, options, host.ports, host.failures);
  const base = delivery === undefined ? handle : deliverIn(delivery, name, concurrency, host.failures);
  const accepts = acceptance(handler, options);
  const once = options.once === true;
  const guarded = accepts.length > 0 || once || delivery !== undefined;
  const guardCall = (call: HandlerFunction): HandlerFunction =>
    accepts.length > 0 || once ? guard(call, name, accepts, once ? retire : undefined) : call;
  const call = guardCall(base);
  const { priority = 0 } = options;
  const counts = { ...noCounts, ended: undefined };
  const subscriber = { name, order, priority, call, guarded, live: true, counts };
  const probe = (probe: CallProbe | undefined): void => {
    if (delivery !== undefined) return delivery.probe(probe);
    subscriber.call = probe === undefined ? call : guardCall(probe(name, handle));
  };
  return { subscriber, stop: () => delivery?.stop('unsubscribed'), probe };
}

function deliverIn(
  delivery: Delivery,
  handler: string,
  concurrency: number,
  failures: Failures,
): HandlerFunction {
  const slots = new Slots(concurrency);
  return (event) => {
    try {
      const outcome = slots.run(() => delivery.deliver(event));
      return isThenable(outcome) ? outcome.then(asNoted) : asNoted(outcome);
    } catch (error) {
      failures.add({ event, handler, error, attempts: 0, final: true });
      return new Outcome({ handler, status: 'failed', attempts: 0, error });
    }
  };
}

/** Plain success needs no note. */
function asNoted(outcome: HandlerOutcome): Outcome | undefined {
  return outcome.status === 'handled' && outcome.attempts === 1 ? undefined : new Outcome(outcome);
}

type Accepts = (event: Event) => boolean;

function acceptance(handler: Handler, { filter }: SubscribeOptions): readonly Accepts[] {
  const accepts: Accepts[] = filter === undefined ? [] : [filter];
  if (typeof handler !== 'function' && handler.canHandle !== undefined)
    accepts.push((event) => handler.canHandle!(event));
  return accepts;
}

function guard(
  call: HandlerFunction,
  name: string,
  accepts: readonly Accepts[],
  retire: (() => void) | undefined,
): HandlerFunction {
  const skipped = new Outcome({ handler: name, status: 'skipped', attempts: 0 });
  return (event, attempt) => {
    for (const accept of accepts) if (!accept(event)) return skipped;
    retire?.();
    return call(event, attempt);
  };
}

function checkOptions(options: SubscribeOptions): void {
  checkNumber('priority', options.priority, -Infinity);
  checkConcurrency(options.concurrency);
  checkFunction('filter', options.filter);
  if (options.name === '') throw invalidOption('name', '', 'must not be empty');
}
