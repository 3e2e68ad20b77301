/**
 * `millrace/client`: publishes to an edge, reads from it, follows it and subscribes to it, on `fetch` alone, so that it
 * runs in pages, workers, Node, Deno and Bun. An event has its id before it is sent first, and a request its
 * `Idempotency-Key`: one that is repeated stores nothing twice.
 *
 * @example
 * const client = new EventClient({ endpoint: 'https://events.example.com', source: 'till', catalogue: shop });
 * await client.publishEvent('order.placed', { orderId: 'o-1', total: 30 });
 * for await (const { event } of client.subscribeToEvents('order.placed')) console.log(event.data.total);
 */
import type { SelectedEvent, TypePattern } from '../bus/selector.ts';
import type { Catalogue, DataOf, EventSchemas, TypeOf } from '../event/catalogue.ts';
import { asMadeEvent, type Event } from '../event/event.ts';
import { createEventFactory, type EventFactory, type EventOptions } from '../event/factory.ts';
import { fromWire } from '../event/wire.ts';
import { hasCode } from '../errors.ts';
import { hostFetch, hostPorts, type Fetch, type Ports } from '../ports.ts';
import { randomId } from '../sync/random-id.ts';
import { readEvents, readHealth, readPublished, type Published } from './answer.ts';
import { batchesOf, batchLimits } from './batches.ts';
import { selectionOf, type EventChoice } from './choice.ts';
import { EdgeRequests } from './edge-requests.ts';
import { followLive, type LiveOptions, type PlacedEvent } from './live-events.ts';
import { LiveSubscription, type LiveHandler } from './live-subscription.ts';
import { pagesOf, replayPages, type ReplayOptions, type ReplayOutcome } from './replay.ts';
import { Subscriptions, type EdgeSubscription, type SubscriptionOptions } from './subscriptions.ts';

export type { Published } from './answer.ts';
export type { EventChoice, Selection } from './choice.ts';
export type { LiveOptions, PlacedEvent } from './live-events.ts';
export type { LiveHandler, LiveSubscription } from './live-subscription.ts';
export type { ReplayOptions, ReplayOutcome, ReplayProgress } from './replay.ts';
export type {
  EdgeDelivery,
  EdgeSubscription,
  SubscriptionChange,
  SubscriptionOptions,
  Subscriptions,
} from './subscriptions.ts';

export interface EventClientOptions<Schemas extends EventSchemas = {}> {
  /** Where the edge is, as in `https://events.example.com`. */
  readonly endpoint: string;
  /** An API key of the edge, with the scope `publish` to publish, `read` to read, `admin` for callbacks. */
  readonly key?: string;
  /** Who says so, in every event that does not name its own source. */
  readonly source: string;
  /** Default: none, any type and data pass. */
  readonly catalogue?: Catalogue<Schemas>;
  /** Tries of one request while the edge is out of reach. Default: 5. */
  readonly attempts?: number;
  /** For one answer. Default: 15,000. */
  readonly timeoutMs?: number;
  /** The most in one request. Default: 1,000 events, 1 MiB; the edge takes 10,000 and 4 MiB. */
  readonly batch?: { readonly events?: number; readonly bytes?: number };
  /** Default: the host's. */
  readonly fetch?: Fetch;
  /** Default: the host's. */
  readonly ports?: Ports;
}

/** An event that is yet to be made: whatever is left out is filled in. */
export type EventDraft<Schemas extends EventSchemas = {}> = EventOptions &
  ([TypeOf<Schemas>] extends [never]
    ? { readonly type: string; readonly data: unknown }
    : {
        [Type in TypeOf<Schemas>]: { readonly type: Type; readonly data: DataOf<Schemas, Type> };
      }[TypeOf<Schemas>]);

/** What is subscribed to: a type, a topic pattern over types, or several; or a choice by more than the type. */
export type TypeChoice<Schemas extends EventSchemas> = TypeOf<Schemas> | TypePattern | (string & {});

/** The events that such a choice brings. */
export type ChosenEvent<Schemas extends EventSchemas, Chosen> = Chosen extends readonly (infer One)[]
  ? SelectedEvent<Schemas, One>
  : Chosen extends EventChoice
    ? Event
    : SelectedEvent<Schemas, Chosen>;

type Choosable<Schemas extends EventSchemas> =
  | TypeChoice<Schemas>
  | readonly TypeChoice<Schemas>[]
  | EventChoice;

export interface ReadOptions {
  /** The most events in the page, 1 to 1,000. Default: 100. */
  readonly limit?: number;
  /** The cursor to go on from. */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

export interface EventPage {
  readonly events: readonly Event[];
  /** To go on from. Missing where there is no more now, except in `read`, which can be asked again. */
  readonly next?: string;
  readonly more: boolean;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Every call throws MillraceError: `sync.unreachable` after its last attempt, `sync.refused` with the edge's reason,
 * `disposed` once the client is disconnected; and what its signal was aborted with.
 */
export class EventClient<Schemas extends EventSchemas = {}> implements AsyncDisposable {
  /** Callbacks at the edge. */
  readonly subscriptions: Subscriptions;
  readonly #options: EventClientOptions<Schemas>;
  readonly #ports: Ports;
  readonly #make: EventFactory<Schemas>;
  readonly #edge: EdgeRequests;

  constructor(options: EventClientOptions<Schemas>) {
    const { source, catalogue, fetch = hostFetch, ports = hostPorts, ...edge } = options;
    this.#options = options;
    this.#ports = ports;
    this.#make = createEventFactory({ source, catalogue, ports });
    this.#edge = new EdgeRequests({ ...edge, fetch, ports });
    this.subscriptions = new Subscriptions(this.#edge);
  }

  /** Resolves when the edge has answered. No call needs it; after a `disconnect` it is what makes calls possible again. */
  async connect({ signal }: CallOptions = {}): Promise<void> {
    this.#edge.begin();
    await this.#edge.ask({ path: '/health', signal }, readHealth);
  }

  /** Ends live streams and what is under way, at once. What was under way may have been stored all the same. */
  disconnect(): void {
    this.#edge.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disconnect();
  }

  /** Resolves when the event is stored. Also throws as `Catalogue.check` does. */
  async publishEvent<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options: EventOptions & CallOptions = {},
  ): Promise<Published> {
    const [published] = await this.publishEvents([this.#make(type, data, options)], options);
    return published!;
  }

  /**
   * Resolves when all of them are stored. They go in as many requests as they need, one after another, of each of which
   * all is stored or none: where one fails, those before it are stored, and what was made with ids can be published
   * again as it is.
   */
  async publishEvents(
    events: readonly (Event | EventDraft<Schemas>)[],
    { signal }: CallOptions = {},
  ): Promise<readonly Published[]> {
    const made = events.map((event) => this.#made(event));
    const published: Published[] = [];
    for (const { body, count } of batchesOf(made, { ...batchLimits, ...this.#options.batch })) {
      const idempotencyKey = randomId(this.#ports);
      const read = (text: string) => readPublished(text, count);
      published.push(...(await this.#edge.ask({ path: '/events', body, idempotencyKey, signal }, read)));
    }
    return published;
  }

  /** `undefined` where the edge knows no event of this id. */
  async getEvent(id: string, { signal }: CallOptions = {}): Promise<Event | undefined> {
    try {
      const path = `/events/${encodeURIComponent(id)}`;
      return await this.#edge.ask({ path, signal }, (text) => fromWire(JSON.parse(text)));
    } catch (error) {
      if (hasCode(error, 'sync.refused') && error.details.status === 404) return undefined;
      throw error;
    }
  }

  /** The latest of a type, newest first. */
  getEventsByType(type: string, options: Omit<ReadOptions, 'after'> = {}): Promise<EventPage> {
    return this.#page(`/events/type/${encodeURIComponent(type)}`, options);
  }

  /** What belongs together, in order. */
  getEventsByCorrelationId(id: string, options: ReadOptions = {}): Promise<EventPage> {
    return this.#page(`/events/correlation/${encodeURIComponent(id)}`, options);
  }

  /** Everything, in the edge's order. */
  read(options: ReadOptions = {}): Promise<EventPage> {
    return this.#page('/events', options);
  }

  /**
   * Has the edge deliver to a callback: the subscription of that service and selection is made where there is none, and
   * moved where its callback has changed. A new one comes with its secret. Of a topic pattern the edge may deliver more
   * than it matches, for its wildcard is any text.
   */
  subscribeToEvents(
    chosen: TypeChoice<Schemas> | readonly TypeChoice<Schemas>[] | Pick<EventChoice, 'pattern'>,
    callbackUrl: string,
    options?: Omit<SubscriptionOptions, 'callbackUrl' | 'selection' | 'serviceName'> & {
      /** Default: the client's source. */
      readonly serviceName?: string;
    },
  ): Promise<EdgeSubscription>;
  /** Calls with each event as it comes, one after another, until it is stopped or the handler fails. */
  subscribeToEvents<const Chosen extends Choosable<Schemas>>(
    chosen: Chosen,
    handler: LiveHandler<ChosenEvent<Schemas, Chosen>>,
    options?: LiveOptions,
  ): LiveSubscription;
  /** The events as they come. It ends where its reader leaves it, or its signal or `disconnect` ends it. */
  subscribeToEvents<const Chosen extends Choosable<Schemas>>(
    chosen: Chosen,
    options?: LiveOptions,
  ): AsyncGenerator<PlacedEvent<ChosenEvent<Schemas, Chosen>>, void, undefined>;
  subscribeToEvents(
    chosen: Choosable<Schemas>,
    target?: string | LiveHandler<never> | LiveOptions,
    options: object = {},
  ): unknown {
    const choice = choiceOf(chosen);
    if (typeof target === 'string') return this.#subscribe(choice, target, options);
    if (typeof target !== 'function') return followLive(this.#edge, choice, target);
    return new LiveSubscription(this.#edge, choice, target as LiveHandler, options);
  }

  /** What the edge has of a choice, in its order, from the beginning or a cursor to where its log ended when it was asked. */
  replay<const Chosen extends Choosable<Schemas>>(
    chosen: Chosen,
    options?: ReplayOptions,
  ): AsyncGenerator<readonly ChosenEvent<Schemas, Chosen>[], void, undefined>;
  /** Calls with each event, one after another. Where the handler fails, `options.onProgress` has said how far it came. */
  replay<const Chosen extends Choosable<Schemas>>(
    chosen: Chosen,
    handler: (event: ChosenEvent<Schemas, Chosen>) => unknown,
    options?: ReplayOptions,
  ): Promise<ReplayOutcome>;
  replay(
    chosen: Choosable<Schemas>,
    target?: ((event: never) => unknown) | ReplayOptions,
    options: ReplayOptions = {},
  ): unknown {
    const choice = choiceOf(chosen);
    if (typeof target !== 'function') return pagesOf(this.#edge, choice, target);
    return replayPages(this.#edge, choice, target as (event: Event) => unknown, options);
  }

  #subscribe(choice: EventChoice, callbackUrl: string, options: object): Promise<EdgeSubscription> {
    const { types = [], pattern } = choice;
    const selection = pattern === undefined ? selectionOf([types].flat()) : { pattern };
    const { source: serviceName } = this.#options;
    return this.subscriptions.ensure({ serviceName, ...options, callbackUrl, selection });
  }

  #made(given: Event | EventDraft<Schemas>): Event {
    const { id, type, data, timestamp, source, priority } = given as Event;
    const whole = [id, timestamp, source, priority].every((field) => field !== undefined);
    if (whole) return asMadeEvent(given as Event);
    return this.#make(type, data as DataOf<Schemas, string>, given);
  }

  async #page(path: string, { limit = 100, after, signal }: ReadOptions): Promise<EventPage> {
    const from = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
    const request = { path: `${path}?limit=${limit}${from}`, signal };
    const { events, next, more } = await this.#edge.ask(request, readEvents);
    return { events, ...(next !== undefined && { next }), more: more ?? next !== undefined };
  }
}

function choiceOf(chosen: string | readonly string[] | EventChoice): EventChoice {
  if (typeof chosen === 'string' || Array.isArray(chosen)) return { types: chosen };
  return chosen as EventChoice;
}
