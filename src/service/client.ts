/**
 * `millrace/client`: publishes to an edge and reads from it, on `fetch` alone, so that it runs in pages, workers, Node,
 * Deno and Bun. An event has its id before it is sent first: a request that is repeated stores nothing twice.
 *
 * @example
 * const client = new EventClient({ endpoint: 'https://events.example.com', source: 'till', catalogue: shop });
 * await client.publishEvent('order.placed', { orderId: 'o-1', total: 30 });
 */
import type { Catalogue, DataOf, EventSchemas, TypeOf } from '../event/catalogue.ts';
import type { Event } from '../event/event.ts';
import { createEventFactory, type EventFactory, type EventOptions } from '../event/factory.ts';
import { encodeLine, fromWire } from '../event/wire.ts';
import { hasCode } from '../errors.ts';
import { hostFetch, hostPorts, type Fetch, type Ports } from '../ports.ts';
import { Backoff } from '../sync/backoff.ts';
import { createAsk, understood, type Ask, type HttpRequest } from '../sync/http-ask.ts';
import { readEvents, readPublished, type EventsAnswer, type Published } from './answer.ts';

export type { Published } from './answer.ts';

export interface EventClientOptions<Schemas extends EventSchemas = {}> {
  /** Where the edge is, as in `https://events.example.com`. */
  readonly endpoint: string;
  /** An API key of the edge, with the scope `publish` to publish and `read` to read. */
  readonly key?: string;
  /** Who says so, in every event that does not name its own source. */
  readonly source: string;
  /** Default: none, any type and data pass. */
  readonly catalogue?: Catalogue<Schemas>;
  /** Tries of one request while the edge is out of reach. Default: 5. */
  readonly attempts?: number;
  /** For one answer. Default: 15,000. */
  readonly timeoutMs?: number;
  /** Default: the host's. */
  readonly fetch?: Fetch;
  /** Default: the host's. */
  readonly ports?: Ports;
}

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

/** Every call throws MillraceError: `sync.unreachable` after its last attempt, `sync.refused` with the edge's reason. */
export class EventClient<Schemas extends EventSchemas = {}> {
  readonly #options: EventClientOptions<Schemas>;
  readonly #ports: Ports;
  readonly #make: EventFactory<Schemas>;
  readonly #ask: Ask;

  constructor(options: EventClientOptions<Schemas>) {
    const {
      endpoint,
      key,
      source,
      catalogue,
      timeoutMs,
      fetch = hostFetch,
      ports = hostPorts,
    } = options;
    this.#options = options;
    this.#ports = ports;
    this.#make = createEventFactory({ source, catalogue, ports });
    this.#ask = createAsk({ endpoint, key, fetch, ports, timeoutMs });
  }

  /** Resolves when the event is stored. Also throws as `Catalogue.check` does. */
  async publishEvent<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options: EventOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<Published> {
    const [published] = await this.publishEvents([this.#make(type, data, options)], options);
    return published!;
  }

  /** Resolves when all of them are stored; where one cannot be, none is. At most 10,000. */
  publishEvents(
    events: readonly Event[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly Published[]> {
    const body = `[${events.map(encodeLine).join(',')}]`;
    return this.#answer({ path: '/events', body, signal: options.signal }, (text) =>
      readPublished(text, events.length),
    );
  }

  /** `undefined` where the edge knows no event of this id. */
  async getEvent(
    id: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Event | undefined> {
    try {
      const path = `/events/${encodeURIComponent(id)}`;
      return await this.#answer({ path, signal: options.signal }, (text) => fromWire(JSON.parse(text)));
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

  async #page(path: string, { limit = 100, after, signal }: ReadOptions): Promise<EventPage> {
    const from = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
    const { events, next, more }: EventsAnswer = await this.#answer(
      { path: `${path}?limit=${limit}${from}`, signal },
      readEvents,
    );
    return { events, ...(next !== undefined && { next }), more: more ?? next !== undefined };
  }

  async #answer<T>(request: HttpRequest, read: (text: string) => T | undefined): Promise<T> {
    const { attempts = 5, endpoint } = this.#options;
    const backoff = new Backoff(this.#ports);
    for (let attempt = 1; ; attempt++) {
      try {
        return await understood(this.#ask(request), read, endpoint);
      } catch (error) {
        const last = attempt >= attempts || request.signal?.aborted === true;
        if (last || !hasCode(error, 'sync.unreachable')) throw error;
        await this.#pause(backoff.failed(error.details.retryAfterMs), request.signal);
      }
    }
  }

  #pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const undo = this.#ports.after(delayMs, resolve);
      signal?.addEventListener(
        'abort',
        () => {
          undo();
          resolve();
        },
        { once: true },
      );
    });
  }
}
