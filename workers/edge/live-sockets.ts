/**
 * The live stream over WebSocket. The shard may sleep while sockets are open ("hibernation"): all that a socket needs is
 * in its attachment, which outlives the object's memory, and is brought on in the turn that sends. So after a sleep each
 * socket goes on where it was, with no gap and no repeat. After a restart sockets are closed, and a reader connects
 * again with the last cursor that it was given.
 *
 * Frames are JSON: first `{"cursor"}`, then `{"cursor","event"}` each. A reader says `{"ack":"<cursor>"}` now and then:
 * whoever was sent the window without a word is told `{"cursor","waiting":true}`, and is sent no more until it does.
 */
import { MillraceError } from '../../src/errors.ts';
import type { Ports } from '../../src/ports.ts';
import type { EventPredicate } from '../../src/routing/condition.ts';
import { formatCursor, parseCursor } from '../../src/storage/cursor.ts';
import type { Position } from '../../src/storage/position.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { readBounded } from './bounded-page.ts';
import { compileFilter, type EventFilter } from './event-filter.ts';

export const socketLimits = {
  /** Events, and characters of them, that are sent to a reader which acknowledges nothing. */
  windowEvents: 1000,
  windowCharacters: 4_194_304,
  /** Characters of a socket's filter as JSON: the platform keeps 16 KiB with a socket. */
  filter: 8192,
  /** Sockets of one shard. */
  sockets: 1000,
} as const;

const PIECE_EVENTS = 100;
const PIECE_CHARACTERS = 262_144;
/** WebSocket close code 1008: the other side broke the rules (RFC 6455, 7.4.1). */
const POLICY = 1008;

interface Attachment {
  /** All up to it was sent, or is none of this reader's. */
  readonly after: Position;
  readonly filter: EventFilter;
  /** Sent since the last acknowledgement. */
  readonly events: number;
  readonly characters: number;
}

export interface LiveSocketsOptions {
  readonly context: Pick<
    DurableObjectState,
    'acceptWebSocket' | 'getWebSockets' | 'setWebSocketAutoResponse'
  >;
  readonly storage: Storage;
  readonly ports: Pick<Ports, 'after'>;
  readonly onError: (error: unknown) => void;
}

export class LiveSockets {
  readonly #options: LiveSocketsOptions;
  readonly #filters = new WeakMap<WebSocket, EventPredicate | 'all'>();
  /** Sockets that are being served, and whether to look again afterwards. */
  readonly #serving = new Map<WebSocket, boolean>();

  constructor(options: LiveSocketsOptions) {
    this.#options = options;
    const { context, storage } = options;
    context.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    storage.onCommit(() => this.serve());
    // Those that were open when the object went to sleep.
    options.ports.after(0, () => this.serve());
  }

  get count(): number {
    return this.#options.context.getWebSockets().length;
  }

  /** @throws MillraceError `limit.exceeded`, `pattern.invalid` */
  async accept(filter: EventFilter, after: Position | undefined): Promise<Response> {
    checkLimit('live.filter', socketLimits.filter, JSON.stringify(filter).length);
    checkLimit('live.sockets', socketLimits.sockets, this.count + 1);
    compileFilter(filter);
    const { head } = await this.#options.storage.stats();
    const start = Math.min(after ?? head, head);
    const { 0: client, 1: server } = new WebSocketPair();
    this.#options.context.acceptWebSocket(server);
    attach(server, { after: start, filter, events: 0, characters: 0 });
    server.send(JSON.stringify({ cursor: formatCursor(start) }));
    this.#serve(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Sends what is new to all. Returns at once. */
  serve(): void {
    for (const socket of this.#options.context.getWebSockets()) this.#serve(socket);
  }

  /** What a reader says: an acknowledgement. */
  said(socket: WebSocket, text: string | ArrayBuffer): void {
    const acknowledged = readAck(text);
    const state = attachmentOf(socket);
    if (acknowledged === undefined || acknowledged > state.after) {
      socket.close(POLICY, 'say {"ack":"<cursor>"} with a cursor that you were given');
      return;
    }
    attach(socket, { ...state, events: 0, characters: 0 });
    this.#serve(socket);
  }

  #serve(socket: WebSocket): void {
    if (this.#serving.has(socket)) {
      this.#serving.set(socket, true);
      return;
    }
    this.#serving.set(socket, false);
    void this.#run(socket);
  }

  async #run(socket: WebSocket): Promise<void> {
    try {
      while (await this.#step(socket)) {
        this.#serving.set(socket, false);
        await new Promise<void>((done) => void this.#options.ports.after(0, done));
      }
    } catch (error) {
      // It asks again from the cursor that it has.
      this.#options.onError(error);
      socket.close(1011, 'the edge failed: connect again from your last cursor');
    } finally {
      this.#serving.delete(socket);
    }
  }

  /** Sends one piece. Resolves to whether to go on. */
  async #step(socket: WebSocket): Promise<boolean> {
    const { after } = attachmentOf(socket);
    const query = { after, limit: PIECE_EVENTS };
    const page = await readBounded(this.#options.storage, query, PIECE_CHARACTERS);
    if (socket.readyState !== WebSocket.OPEN) return false;
    const matches = this.#filter(socket);
    // From here to the end in one turn: what is sent and what is noted never differ. An acknowledgement may have come.
    const state = attachmentOf(socket);
    let { events, characters } = state;
    if (isFull(state)) return false;
    for (const { position, event, line } of page.events) {
      if (matches !== 'all' && !matches(event)) continue;
      socket.send(`{"cursor":"${formatCursor(position)}","event":${line}}`);
      events++;
      characters += line.length;
    }
    const next = { ...state, after: page.next, events, characters };
    attach(socket, next);
    if (isFull(next)) {
      socket.send(JSON.stringify({ cursor: formatCursor(page.next), waiting: true }));
      return false;
    }
    return page.more || this.#serving.get(socket) === true;
  }

  #filter(socket: WebSocket): EventPredicate | 'all' {
    const known = this.#filters.get(socket);
    if (known !== undefined) return known;
    const filter = compileFilter(attachmentOf(socket).filter) ?? 'all';
    this.#filters.set(socket, filter);
    return filter;
  }
}

function isFull({ events, characters }: Attachment): boolean {
  return events >= socketLimits.windowEvents || characters >= socketLimits.windowCharacters;
}

function attach(socket: WebSocket, state: Attachment): void {
  socket.serializeAttachment(state);
}

function attachmentOf(socket: WebSocket): Attachment {
  return socket.deserializeAttachment() as Attachment;
}

function readAck(text: string | ArrayBuffer): Position | undefined {
  try {
    const said: unknown = JSON.parse(text as string);
    return parseCursor((said as { ack: string }).ack);
  } catch {
    return undefined;
  }
}

function checkLimit(limit: string, maximum: number, actual: number): void {
  if (actual <= maximum) return;
  const message = `${limit} is ${actual}, the limit is ${maximum}: ask for less, or by server-sent events`;
  throw new MillraceError('limit.exceeded', message, { limit, maximum, actual });
}
