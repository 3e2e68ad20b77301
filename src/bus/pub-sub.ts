/**
 * Publish-subscribe by topics, with a bounded queue between a publisher and each subscriber: a slow subscriber holds up
 * nobody but, if its policy says so, the publisher.
 *
 * @example
 * const shop = new PubSub();
 * shop.subscribe('order.#', pack, { key: (event) => event.subject, concurrency: 8, policy: 'wait' });
 * shop.start();
 * await shop.publish('order.placed.eu', event);
 * await shop.stop({ drainMs: 5_000 });
 */
import { MillraceError } from '../errors.ts';
import type { Catalogue, EventSchemas } from '../event/catalogue.ts';
import { asMadeEvent, type Event } from '../event/event.ts';
import { hostPorts, type Ports, type Undo } from '../ports.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { Offer } from './bounded-queue.ts';
import { DeadLetterList, type DeadLetterSink, type HandlerDeadLetter } from './dead-letters.ts';
import { checkNumber, defaultName, invalidOption, type Handler } from './event-handler.ts';
import { Failures, type ErrorSink } from './failures.ts';
import type { BusEvent } from './selector.ts';
import { isThenable } from './thenable.ts';
import { TopicIndex } from './topic-index.ts';
import { checkTopic } from './topic-pattern.ts';
import {
  TopicSubscriber,
  type SubscriberCounts,
  type TopicSubscribeOptions,
} from './topic-subscriber.ts';

export interface PubSubOptions<Schemas extends EventSchemas> {
  /** Types what is published, and nothing else. */
  readonly catalogue?: Catalogue<Schemas> | undefined;
  /** Hears of every failed attempt. Default: the console. */
  readonly onError?: ErrorSink | undefined;
  /** Where events go that a subscriber was given up on. Default: a list of 1,000 in memory, `deadLetters`. */
  readonly deadLetters?: DeadLetterSink | undefined;
  /** Default: the host's. */
  readonly ports?: Ports | undefined;
}

export interface TopicSubscription {
  readonly name: string;
  readonly pattern: string;
  readonly queueLength: number;
  readonly counts: SubscriberCounts;
  /** Aborts what runs, and drops what is queued. Unsubscribing again does nothing. */
  readonly unsubscribe: Undo;
  [Symbol.dispose](): void;
}

/** What became of one event, in numbers of subscribers. */
export interface TopicReport {
  readonly topic: string;
  readonly queued: number;
  /** Shed at once, by `drop-newest`. */
  readonly dropped: number;
  /** Dead letters: the queue was full and its policy is `fail`, or a filter or key threw. */
  readonly refused: number;
}

export interface StopOptions {
  /** How long what is queued may take to be handled. Default: 5,000. */
  readonly drainMs?: number | undefined;
}

export interface StopReport {
  /** Events that stay queued, for the next start. */
  readonly left: number;
  /** Events that were being handled when time was up: told so through their signal, and dead letters. */
  readonly aborted: number;
}

type State = 'new' | 'running' | 'stopping' | 'stopped';

export class PubSub<Schemas extends EventSchemas = {}> {
  readonly deadLetters: DeadLetterSink;
  readonly #ports: Ports;
  readonly #failures: Failures;
  readonly #index = new TopicIndex<TopicSubscriber>();
  readonly #byName = new Map<string, TopicSubscriber>();
  #order = 0;
  #state: State = 'new';
  #stopping: Promise<StopReport> | undefined;

  constructor(options: PubSubOptions<Schemas> = {}) {
    this.deadLetters = options.deadLetters ?? new DeadLetterList();
    this.#ports = options.ports ?? hostPorts;
    this.#failures = new Failures(options.onError, this.deadLetters, this.#ports);
  }

  /** How many events wait in all the queues. */
  get queueLength(): number {
    let length = 0;
    for (const subscriber of this.#byName.values()) length += subscriber.queueLength;
    return length;
  }

  /**
   * Queues each event whose topic matches the pattern (`*` one word, `#` none or more), and calls the handler with them
   * while running.
   *
   * @throws MillraceError `topic.invalid`, `query.invalid`
   */
  subscribe(
    pattern: string,
    handler: Handler<BusEvent<Schemas>>,
    options: TopicSubscribeOptions<BusEvent<Schemas>> = {},
  ): TopicSubscription {
    const { signal } = options;
    const name = options.name ?? defaultName(handler, ++this.#order);
    if (this.#byName.has(name)) throw invalidOption('name', name, 'must be unique');
    const own = options as unknown as TopicSubscribeOptions;
    const subscriber = new TopicSubscriber(name, handler as Handler, own, this.#ports, this.#failures);
    const unsubscribe = (): void => {
      if (this.#byName.get(name) !== subscriber) return;
      signal?.removeEventListener('abort', unsubscribe);
      this.#byName.delete(name);
      this.#index.remove(pattern, subscriber);
      subscriber.end();
    };
    this.#index.add(pattern, subscriber);
    this.#byName.set(name, subscriber);
    signal?.addEventListener('abort', unsubscribe, { once: true });
    if (signal?.aborted === true) unsubscribe();
    else if (this.#state === 'running') subscriber.start();
    return subscriptionOf(subscriber, pattern, unsubscribe);
  }

  /**
   * Puts the event into the queue of each subscriber whose pattern matches. At once, unless a full queue lets its
   * publisher wait. Before the first start events wait in their queues.
   *
   * @throws MillraceError `topic.invalid`; `event.invalid`; `disposed` from `stop` until the next start
   */
  publish(topic: string, event: BusEvent<Schemas>): MaybePromise<TopicReport> {
    if (this.#state === 'stopping' || this.#state === 'stopped') throw stoppedError(this.#state);
    checkTopic(topic);
    return offerTo(this.#index.match(topic), asMadeEvent(event), topic);
  }

  /** The names of those whose pattern matches the topic. */
  subscribers(topic: string): readonly string[] {
    return this.#index.match(topic).map(({ name }) => name);
  }

  /**
   * Queues a dead letter's event once more for the one subscriber that failed.
   *
   * @throws MillraceError `query.invalid` where there is no such subscriber; `disposed` as `publish` does
   */
  redeliver(letter: Pick<HandlerDeadLetter, 'event' | 'handler' | 'topic'>): MaybePromise<TopicReport> {
    if (this.#state === 'stopping' || this.#state === 'stopped') throw stoppedError(this.#state);
    const subscriber = this.#byName.get(letter.handler);
    if (subscriber === undefined) throw invalidOption('handler', letter.handler, 'must be subscribed');
    return offerTo([subscriber], letter.event, letter.topic ?? letter.event.type);
  }

  /**
   * Starts to call the handlers, what is queued first. Starting again does nothing.
   *
   * @throws MillraceError `disposed` while it stops
   */
  start(): void {
    if (this.#state === 'stopping') throw stoppedError(this.#state);
    this.#state = 'running';
    for (const subscriber of this.#byName.values()) subscriber.start();
  }

  /**
   * Takes no more events, and resolves once the queues are drained or time is up. What is then queued stays so, and what
   * runs is aborted. Stopping what is stopped resolves at once.
   *
   * @throws MillraceError `query.invalid`
   */
  async stop(options: StopOptions = {}): Promise<StopReport> {
    const { drainMs = 5000 } = options;
    checkNumber('drainMs', drainMs, 0);
    if (this.#state !== 'running') return this.#stopping ?? this.#halt();
    this.#state = 'stopping';
    this.#stopping = this.#drain(drainMs).then(() => {
      this.#stopping = undefined;
      return this.#halt();
    });
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop().then(() => undefined);
  }

  #drain(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const undo = this.#ports.after(drainMs, resolve);
      const idle = [...this.#byName.values()].map((subscriber) => subscriber.idle());
      void Promise.all(idle).then(() => {
        undo();
        resolve();
      });
    });
  }

  #halt(): StopReport {
    this.#state = 'stopped';
    let aborted = 0;
    for (const subscriber of this.#byName.values()) {
      aborted += subscriber.busy;
      subscriber.stop();
    }
    return { left: this.queueLength, aborted };
  }
}

function subscriptionOf(
  subscriber: TopicSubscriber,
  pattern: string,
  unsubscribe: Undo,
): TopicSubscription {
  return {
    name: subscriber.name,
    pattern,
    get queueLength() {
      return subscriber.queueLength;
    },
    get counts() {
      return subscriber.counts;
    },
    unsubscribe,
    [Symbol.dispose]: unsubscribe,
  };
}

function offerTo(
  subscribers: readonly TopicSubscriber[],
  event: Event,
  topic: string,
): MaybePromise<TopicReport> {
  const offers: MaybePromise<Offer>[] = [];
  for (const subscriber of subscribers) {
    const offer = subscriber.offer(event, topic);
    if (offer !== undefined) offers.push(offer);
  }
  return offers.some(isThenable)
    ? Promise.all(offers).then((offers) => reportOf(topic, offers))
    : reportOf(topic, offers as Offer[]);
}

function reportOf(topic: string, offers: readonly Offer[]): TopicReport {
  const count = (offer: Offer): number => offers.filter((other) => other === offer).length;
  return { topic, queued: count('queued'), dropped: count('dropped'), refused: count('refused') };
}

function stoppedError(state: State): MillraceError<'disposed'> {
  const text = `PubSub is ${state}: publish before it stops, or start it once it has stopped`;
  return new MillraceError('disposed', text, { what: 'PubSub' });
}
