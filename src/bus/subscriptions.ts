/** The subscriptions of one bus: their names, their ends, and who is called for a type. */
import type { Undo } from '../ports.ts';
import { ProbeSlot, type CallProbe } from './call-probe.ts';
import { noCounts, type HandlerCounts, type Subscriber } from './dispatch.ts';
import { defaultName, invalidOption, type Handler } from './event-handler.ts';
import { makeSubscriber, type SubscribeOptions, type SubscriberHost } from './subscriber.ts';
import { SubscriberIndex, type TypeCount, type TypeSubscribers } from './subscriber-index.ts';

export interface Subscription {
  /** As in reports and dead letters. */
  readonly name: string;
  /**
   * The handler is not called again, retries included; the signal of what runs is aborted, and what waited is skipped.
   * Unsubscribing again does nothing.
   */
  readonly unsubscribe: Undo;
  [Symbol.dispose](): void;
}

export interface SubscriptionStats {
  readonly types: readonly TypeCount[];
  readonly handlers: readonly ({ readonly name: string } & Readonly<HandlerCounts>)[];
  /** Of all handlers that are subscribed no more. */
  readonly ended: Readonly<HandlerCounts>;
}

const countNames = Object.keys(noCounts) as readonly (keyof HandlerCounts)[];

interface Kept {
  readonly handler: Handler;
  readonly subscriber: Subscriber;
  readonly unsubscribe: Undo;
  readonly probe: (probe: CallProbe | undefined) => void;
}

export class Subscriptions {
  readonly #host: SubscriberHost;
  readonly #index = new SubscriberIndex();
  readonly #byName = new Map<string, Kept>();
  readonly #bySelector = new Map<string, Set<Kept>>();
  /** What those that have ended came to. */
  readonly #ended: HandlerCounts = { ...noCounts };
  readonly #probes = new ProbeSlot((probe) => {
    for (const kept of this.#byName.values()) kept.probe(probe);
  });
  #order = 0;

  constructor(host: SubscriberHost) {
    this.#host = host;
  }

  /**
   * `onEnd` is called once, when it ends otherwise than by `once`.
   *
   * @throws MillraceError `query.invalid`
   */
  add(selector: string, handler: Handler, options: SubscribeOptions, onEnd?: Undo): Subscription {
    const { signal } = options;
    const order = ++this.#order;
    const name = options.name ?? defaultName(handler, order);
    if (this.#byName.has(name)) throw invalidOption('name', name, 'must be unique in its bus');
    const retire = (): void => {
      if (!subscriber.live) return;
      subscriber.live = false;
      signal?.removeEventListener('abort', unsubscribe);
      this.#forget(selector, kept);
    };
    const unsubscribe = (): void => {
      const wasLive = subscriber.live;
      retire();
      stop();
      if (wasLive) onEnd?.();
    };
    const made = makeSubscriber(handler, options, { name, order }, this.#host, retire);
    const { subscriber, stop, probe } = made;
    const kept: Kept = { handler, subscriber, unsubscribe, probe };
    if (this.#probes.probe !== undefined) probe(this.#probes.probe);
    this.#keep(selector, kept);
    signal?.addEventListener('abort', unsubscribe, { once: true });
    if (signal?.aborted === true) unsubscribe();
    return { name, unsubscribe, [Symbol.dispose]: unsubscribe };
  }

  remove(selector: string, handler: Handler): boolean {
    const found = [...(this.#bySelector.get(selector) ?? [])].filter((kept) => kept.handler === handler);
    for (const { unsubscribe } of found) unsubscribe();
    return found.length > 0;
  }

  of(type: string): TypeSubscribers {
    return this.#index.get(type);
  }

  /** Of each type the events that came to its subscribers; of each handler what became of them. */
  stats(): SubscriptionStats {
    const types = this.#index.counts();
    const handlers = [...this.#byName.values()].map(({ subscriber: { name, counts } }) => {
      const { received, skipped, failed, retried } = counts;
      return { name, received, skipped, failed, retried };
    });
    return { types, handlers, ended: { ...this.#ended } };
  }

  probe(probe: CallProbe): Undo {
    return this.#probes.set(probe);
  }

  named(name: string): Subscriber | undefined {
    return this.#byName.get(name)?.subscriber;
  }

  clear(): void {
    for (const { unsubscribe } of [...this.#byName.values()]) unsubscribe();
  }

  #keep(selector: string, kept: Kept): void {
    this.#byName.set(kept.subscriber.name, kept);
    const same = this.#bySelector.get(selector) ?? new Set();
    this.#bySelector.set(selector, same.add(kept));
    this.#index.add(selector, kept.subscriber);
  }

  #forget(selector: string, kept: Kept): void {
    this.#byName.delete(kept.subscriber.name);
    const same = this.#bySelector.get(selector);
    if (same?.delete(kept) && same.size === 0) this.#bySelector.delete(selector);
    this.#index.remove(selector, kept.subscriber);
    const { counts } = kept.subscriber;
    for (const name of countNames) this.#ended[name] += counts[name];
    // What runs still has an outcome.
    counts.ended = this.#ended;
  }
}
