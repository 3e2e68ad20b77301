/**
 * The edge's log as it grows, from any cursor. It comes as server-sent events; where something on the way holds those
 * back, by long polls. What was handed on moves the cursor, and a lost connection is opened again from there: no gap,
 * and no event twice.
 */
import { hasCode, MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { decodeLine } from '../event/wire.ts';
import type { ByteStream } from '../ports.ts';
import { formatCursor } from '../storage/cursor.ts';
import { Backoff } from '../sync/backoff.ts';
import { readEvents } from './answer.ts';
import { queryOf, remainderOf, type EventChoice } from './choice.ts';
import type { EdgeRequests } from './edge-requests.ts';
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.ts';

export interface LiveOptions {
  /** Default: `now`. */
  readonly after?: 'now' | 'start' | (string & {}) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Asks by long poll from the beginning. Default: only where no stream comes through. */
  readonly poll?: boolean | undefined;
  /** After this long without a sign the connection is taken for lost; the edge gives one every 15 s. Default: 45,000. */
  readonly silenceMs?: number | undefined;
}

/** An event, and where to go on after it. */
export interface PlacedEvent<E extends Event = Event> {
  readonly event: E;
  /** By long poll, of all but a page's last event it is the page's beginning: going on there repeats some of it. */
  readonly cursor: string;
}

const SILENCE_MS = 45_000;
const POLL_EVENTS = 100;
const LONGEST_POLL_S = 25;

/** Never ends by itself. @throws MillraceError `sync.refused`, `cursor.invalid`, `disposed`; the signal's reason */
export async function* followLive(
  edge: EdgeRequests,
  choice: EventChoice,
  options: LiveOptions = {},
): AsyncGenerator<PlacedEvent, void, undefined> {
  const run = new LiveRun(edge, choice, options);
  const backoff = new Backoff(edge.ports);
  for (;;) {
    try {
      for await (const placed of run.connect()) {
        backoff.reset();
        yield placed;
      }
    } catch (error) {
      if (!hasCode(error, 'sync.unreachable')) throw error;
      await edge.pause(backoff.failed(error.details.retryAfterMs), options.signal);
    }
  }
}

class LiveRun {
  readonly #edge: EdgeRequests;
  readonly #query: string;
  readonly #matches: (event: Event) => boolean;
  readonly #options: LiveOptions;
  #cursor: string | undefined;
  #poll: boolean;

  constructor(edge: EdgeRequests, choice: EventChoice, options: LiveOptions) {
    const { after = 'now', poll = false } = options;
    this.#edge = edge;
    this.#query = queryOf(choice);
    this.#matches = remainderOf(choice);
    this.#options = options;
    this.#cursor = after === 'now' ? undefined : after === 'start' ? formatCursor(0) : after;
    this.#poll = poll;
  }

  /** What comes over one connection, or with one poll. */
  async *connect(): AsyncGenerator<PlacedEvent> {
    if (this.#poll) yield* this.#page();
    else yield* this.#stream();
  }

  async *#stream(): AsyncGenerator<PlacedEvent> {
    const { signal } = this.#options;
    const stream = await this.#edge.once({ path: this.#path(''), signal }, (response) =>
      isStream(response.headers) ? response.body : undefined,
    );
    if (!stream) return this.#fallBack();
    let greeted = false;
    for await (const frame of this.#frames(stream, () => greeted)) {
      if (frame === 'silent') return this.#fallBack();
      if (!greeted) this.#greet(frame.id);
      greeted = true;
      if (frame.id !== undefined) this.#cursor = frame.id;
      if (frame.event !== 'event' || frame.data === undefined) continue;
      const event = decodeLine(frame.data);
      if (this.#matches(event)) yield { event, cursor: this.#cursor! };
    }
    throw this.#lost('the live stream ended');
  }

  /** `silent`: nothing of it ever came. @throws MillraceError `sync.unreachable` */
  async *#frames(
    stream: ByteStream,
    greeted: () => boolean,
  ): AsyncGenerator<ServerSentEvent | 'silent'> {
    const { silenceMs = SILENCE_MS, signal } = this.#options;
    const wait = <T>(reading: Promise<T>): Promise<T> => {
      const limitMs = greeted() ? silenceMs : this.#edge.timeoutMs;
      return new Promise((resolve, reject) => {
        const undo = this.#edge.ports.after(limitMs, () => reject(new Silence()));
        void reading.then(resolve, reject).then(undo);
      });
    };
    try {
      yield* readServerSentEvents(stream, wait);
    } catch (error) {
      // Whose signal ended it is told by the pause that follows.
      if (signal?.aborted) signal.throwIfAborted();
      if (error instanceof Silence && !greeted()) yield 'silent';
      else if (error instanceof MillraceError) throw error;
      else throw this.#lost(error instanceof Silence ? 'it fell silent' : (error as Error).message);
    }
  }

  /** A stream from beyond the log's end begins at its end: what comes next there is of another log. */
  #greet(id: string | undefined): void {
    const asked = this.#cursor;
    if (asked === undefined || asked === id) return;
    const text = `the edge's log ends before cursor ${asked}: the edge was reset, or is another one; begin anew`;
    throw new MillraceError('cursor.invalid', text, { cursor: asked });
  }

  #fallBack(): void {
    this.#poll = true;
  }

  async *#page(): AsyncGenerator<PlacedEvent> {
    const { signal } = this.#options;
    // Without a cursor it is asked where the log ends, so that nothing is missed from then on.
    const longest = Math.floor(this.#edge.timeoutMs / 1000) - 5;
    const seconds = this.#cursor === undefined ? 0 : Math.max(1, Math.min(LONGEST_POLL_S, longest));
    const path = this.#path(`wait=${seconds}&limit=${POLL_EVENTS}`);
    const { events, next } = await this.#edge.ask({ path, signal }, readEvents, { attempts: 1 });
    if (next === undefined) throw this.#lost('its answer names no cursor');
    const before = this.#cursor ?? next;
    for (const [at, event] of events.entries()) {
      const cursor = at === events.length - 1 ? next : before;
      if (this.#matches(event)) yield { event, cursor };
    }
    this.#cursor = next;
  }

  #path(more: string): string {
    const after = this.#cursor === undefined ? '' : `after=${encodeURIComponent(this.#cursor)}`;
    const query = [this.#query, after, more].filter((part) => part !== '').join('&');
    return `/events/live${query === '' ? '' : `?${query}`}`;
  }

  #lost(why: string): MillraceError<'sync.unreachable'> {
    const { endpoint } = this.#edge;
    const text = `the live stream of ${endpoint} was lost: ${why}; it is opened again`;
    return new MillraceError('sync.unreachable', text, { endpoint });
  }
}

class Silence extends Error {}

function isStream(headers: { get(name: string): string | null }): boolean {
  return (headers.get('content-type') ?? '').startsWith('text/event-stream');
}
