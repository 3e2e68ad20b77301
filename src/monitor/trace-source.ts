/** Where a trace is read from, and how its events are gathered: those of a correlation, and their causes outside of it. */
import type { Event } from '../event/event.ts';
import type { MaybePromise, Page, Query } from '../storage/storage.ts';

/** An event but for its data: a trace says what happened when, and not what it held. */
export type TracedEvent = Omit<Event, 'data'>;

/** A correlation, or an event: its own correlation is traced, or without one, its causes. */
export type TraceOf =
  | { readonly correlationId: string; readonly id?: undefined }
  | { readonly id: string; readonly correlationId?: undefined };

/** A `Storage`, or an `EventStore`. */
export interface TraceLog {
  read(query: Query): MaybePromise<Page>;
}

/** An edge's client. */
export interface TraceClient {
  getEvent(id: string, options?: { readonly signal?: AbortSignal }): Promise<Event | undefined>;
  getEventsByCorrelationId(
    id: string,
    options?: { readonly limit?: number; readonly after?: string; readonly signal?: AbortSignal },
  ): Promise<{ readonly events: readonly Event[]; readonly next?: string | undefined }>;
}

export type TraceSource = TraceLog | TraceClient;

export interface Collected {
  /** In the log's order, the causes outside of the correlation before them. */
  readonly events: readonly TracedEvent[];
  /** Causes that were looked for, and are not there. */
  readonly missing: readonly string[];
  readonly truncated: boolean;
}

export interface CollectOptions {
  readonly limits: { readonly events: number; readonly lookups: number };
  readonly signal?: AbortSignal | undefined;
}

interface Reading {
  one(id: string): Promise<TracedEvent | undefined>;
  /** In order, a page at a time. */
  correlated(id: string): AsyncIterable<readonly TracedEvent[]>;
}

const PAGE = 1_000;

export async function collectEvents(
  source: TraceSource,
  of: TraceOf,
  { limits, signal }: CollectOptions,
): Promise<Collected> {
  const reading =
    'read' in source && !('getEvent' in source)
      ? ofLog(source)
      : ofClient(source as TraceClient, signal);
  const found = new Map<string, TracedEvent>();
  let truncated = false;
  const asked = of.id === undefined ? undefined : await reading.one(of.id);
  if (of.id !== undefined && asked === undefined) return { events: [], missing: [], truncated };
  // What an event without one has caused has its id as their correlation: see `causedBy`.
  const correlationId = of.correlationId ?? asked?.correlationId ?? asked!.id;
  for await (const events of reading.correlated(correlationId)) {
    signal?.throwIfAborted();
    const room = limits.events - found.size;
    for (const event of events.slice(0, room)) found.set(event.id, event);
    truncated = events.length > room;
    if (truncated) break;
  }
  // One that its own correlation does not lead to: the first, or one of a log that was trimmed or is cut off here.
  if (asked !== undefined && found.size < limits.events) found.set(asked.id, asked);
  const outside = await causesOf(reading, found, { limits, signal });
  truncated ||= outside.truncated;
  return {
    events: [...outside.events.toReversed(), ...found.values()],
    missing: outside.missing,
    truncated,
  };
}

/** The nearest first. */
async function causesOf(
  reading: Reading,
  found: ReadonlyMap<string, TracedEvent>,
  { limits, signal }: CollectOptions,
): Promise<Collected> {
  const events = new Map<string, TracedEvent>();
  const missing = new Set<string>();
  let lookups = 0;
  // Those of the first events first; what is found is looked behind in its turn.
  const open = [...found.values()];
  for (const event of open) {
    const { causationId: id } = event;
    if (id === undefined || found.has(id) || events.has(id) || missing.has(id)) continue;
    signal?.throwIfAborted();
    if (++lookups > limits.lookups || found.size + events.size >= limits.events)
      return { events: [...events.values()], missing: [...missing], truncated: true };
    const cause = await reading.one(id);
    if (cause === undefined) missing.add(id);
    else {
      events.set(id, cause);
      open.push(cause);
    }
  }
  return { events: [...events.values()], missing: [...missing], truncated: false };
}

function ofLog(log: TraceLog): Reading {
  return {
    async one(id) {
      const [stored] = (await log.read({ id, limit: 1 })).events;
      return stored && traced(stored.event);
    },
    async *correlated(correlationId) {
      for (let after = 0, more = true; more;) {
        const page: Page = await log.read({ correlationId, after, limit: PAGE });
        yield page.events.map(({ event }) => traced(event));
        ({ more, next: after } = page);
      }
    },
  };
}

function ofClient(client: TraceClient, signal: AbortSignal | undefined): Reading {
  const options = signal === undefined ? {} : { signal };
  return {
    async one(id) {
      const event = await client.getEvent(id, options);
      return event && traced(event);
    },
    async *correlated(correlationId) {
      for (let after: string | undefined, more = true; more;) {
        const from = after === undefined ? {} : { after };
        const page = await client.getEventsByCorrelationId(correlationId, {
          ...options,
          ...from,
          limit: PAGE,
        });
        yield page.events.map(traced);
        after = page.next;
        more = after !== undefined;
      }
    },
  };
}

/** Without its data, which may be large. */
function traced(event: Event): TracedEvent {
  const { id, type, timestamp, source, priority, correlationId, causationId, subject, traceparent } =
    event;
  return { id, type, timestamp, source, priority, correlationId, causationId, subject, traceparent };
}
