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
import { madeEventOf, type DeadLetter } from '../storage/dead-letters/dead-letter.ts';
import {
  HostDeadLetters,
  type DeadLetters,
  type DeadLetterStore,
  type RedriveOptions,
  type Retried,
} from '../storage/dead-letters/dead-letters.ts';
import { MemoryDeadLetters } from '../storage/dead-letters/memory-dead-letters.ts';
import type { MaybePromise } from '../storage/storage.ts';
import type { Offer } from './bounded-queue.ts';
import { ProbeSlot, type CallProbe } from './call-probe.ts';
import { checkNumber, defaultName, invalidOption, type Handler } from './event-handler.ts';
import { Failures, type ErrorSink } from './failures.ts';
import { Sampling, type CallObserver } from './sampling.ts';
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
  /** Where events are kept that a subscriber was given up on. Default: in memory, the last 1,000. */
  readonly deadLetters?: DeadLetterStore | undefined;
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

/** Whole numbers since the `PubSub` was made. */
export interface PubSubStats {
  /** Events that were published, whether anybody had subscribed to their topic or not. */
  readonly events: number;
  readonly subscribers: readonly {
    readonly name: string;
    readonly queueLength: number;
    /** Events that its handler is busy with now. */
    readonly busy: number;
    readonly counts: SubscriberCounts;
  }[];
  /** Of all that have unsubscribed. */
  readonly ended: SubscriberCounts;
}

type State = 'new' | 'running' | 'stopping' | 'stopped';

export class PubSub<Schemas extends EventSchemas = {}> {
  /**
   * What subscribers were given up on. Driven again, an event waits in the queue of the one that failed, so that is to be
   * done while running.
   */
  readonly deadLetters: DeadLetters;
  readonly #ports: Ports;
  readonly #failures: Failures;
  readonly #index = new TopicIndex<TopicSubscriber>();
  readonly #byName = new Map<string, TopicSubscriber>();
  readonly #sampling = new Sampling();
  readonly #probes = new ProbeSlot((probe) => {
    for (const subscriber of this.#byName.values()) subscriber.probe(probe);
  });
  /** Unsubscribed, with a handler that still runs. */
  readonly #leaving = new Set<TopicSubscriber>();
  #ended: SubscriberCounts = { received: 0, handled: 0, failed: 0, dropped: 0 };
  #events = 0;
  #order = 0;
  #state: State = 'new';
  #stopping: Promise<StopReport> | undefined;

  constructor(options: PubSubOptions<Schemas> = {}) {
    const letters = options.deadLetters ?? new MemoryDeadLetters();
    this.#ports = options.ports ?? hostPorts;
    this.#failures = new Failures('topic', options.onError, letters, this.#ports);
    this.deadLetters = new HostDeadLetters(letters, {
      now: () => this.#ports.now(),
      retry: (letter, options) => this.#redeliver(letter, options),
    });
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
    const subscriber = new TopicSubscriber(name, handler as Handler, own, {
      ports: this.#ports,
      failures: this.#failures,
      sampling: this.#sampling,
    });
    if (this.#probes.probe !== undefined) subscriber.probe(this.#probes.probe);
    const unsubscribe = (): void => {
      if (this.#byName.get(name) !== subscriber) return;
      signal?.removeEventListener('abort', unsubscribe);
      this.#byName.delete(name);
      this.#index.remove(pattern, subscriber);
      subscriber.end();
      this.#leaving.add(subscriber);
      this.#settle();
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
    const made = asMadeEvent(event);
    this.#events++;
    return offerTo(this.#index.match(topic), made, topic);
  }

  stats(): PubSubStats {
    this.#settle();
    const subscribers = Array.from(this.#byName.values(), ({ name, queueLength, busy, counts }) => ({
      name,
      queueLength,
      busy,
      counts,
    }));
    const ended = [...this.#leaving].reduce((sum, { counts }) => added(sum, counts), this.#ended);
    return { events: this.#events, subscribers, ended };
  }

  /** Has a handler's call timed now and then. One observer at a time: another takes its place. */
  observe(observer: CallObserver): Undo {
    return this.#sampling.observe(observer);
  }

  /** Looks at every call of a handler, retries each for itself. One probe at a time: another takes its place. */
  probe(probe: CallProbe): Undo {
    return this.#probes.set(probe);
  }

  /** The names of those whose pattern matches the topic. */
  subscribers(topic: string): readonly string[] {
    return this.#index.match(topic).map(({ name }) => name);
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

  /** Those whose last handler has ended count with the others that have. */
  #settle(): void {
    for (const subscriber of this.#leaving) {
      if (subscriber.busy > 0) continue;
      this.#ended = added(this.#ended, subscriber.counts);
      this.#leaving.delete(subscriber);
    }
  }

  /** Once the subscriber has handled it, or has failed on it again. */
  async #redeliver(
    { where: { name, detail }, ...letter }: DeadLetter,
    { signal }: RedriveOptions,
  ): Promise<Retried> {
    if (this.#state !== 'running') throw stoppedError(this.#state);
    const subscriber = this.#byName.get(name);
    if (subscriber === undefined) throw invalidOption('handler', name, 'must be subscribed');
    const event = madeEventOf(letter);
    const handled = await subscriber.redeliver(event, detail ?? event.type, signal);
    return handled ? 'taken' : 'kept';
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

function added(a: SubscriberCounts, b: SubscriberCounts): SubscriberCounts {
  return {
    received: a.received + b.received,
    handled: a.handled + b.handled,
    failed: a.failed + b.failed,
    dropped: a.dropped + b.dropped,
  };
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
  const text =
    state === 'new'
      ? 'PubSub is not started yet: start it first'
      : `PubSub is ${state}: publish before it stops, or start it once it has stopped`;
  return new MillraceError('disposed', text, { what: 'PubSub' });
}
