/**
 * The live stream of a log with several shards, put together in the Worker: it asks every shard for what comes next, and
 * each of them answers as soon as it has something. As with one shard, what is sent is decided by the cursor alone.
 *
 * What it costs: a request to each shard at least every 15 seconds while a reader is there, and a Worker that lives as
 * long as its reader: sockets do not sleep here, as those of one shard do.
 */
import { hasCode } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';
import type { EventFilter } from '../event-filter.ts';
import { eventFrame } from '../live.ts';
import { socketLimits } from '../live-sockets.ts';
import { ShardWaits } from './shard-waits.ts';
import type { ShardedLog } from './sharded-log.ts';

export interface MergedLiveOptions {
  /** Sends what stands after it. Default: where the log ends now. */
  readonly after?: string | undefined;
  readonly filter: EventFilter;
  readonly ports: Pick<Ports, 'after'>;
}

interface Piece {
  /** Each with the cursor behind it. */
  readonly events: readonly (readonly [cursor: string, line: string])[];
  /** Up to where the log was read. */
  readonly next: string;
}

const PIECE_EVENTS = 100;
const WAIT_MS = 15_000;
/** WebSocket close codes (RFC 6455, 7.4.1). */
const POLICY = 1008;
const FAILED = 1011;

/** A cursor of another log, or of a state that was lost, goes on where the log ends now: see `live.ts`. */
async function startOf(log: ShardedLog, after: string | undefined): Promise<string> {
  try {
    if (after !== undefined) await log.page({ after, limit: 1 });
    return after ?? (await log.head());
  } catch (error) {
    if (hasCode(error, 'cursor.invalid')) return log.head();
    throw error;
  }
}

async function* follow(
  log: ShardedLog,
  start: string,
  { filter, ports }: Pick<MergedLiveOptions, 'filter' | 'ports'>,
): AsyncGenerator<Piece, void> {
  const options = { filter, waitMs: WAIT_MS, waits: new ShardWaits(), placed: true };
  for (let after = start; ;) {
    const page = await log.page({ after, limit: PIECE_EVENTS }, options);
    const cursors = page.cursors();
    yield { events: page.lines.map((line, i) => [cursors[i]!, line] as const), next: page.next };
    after = page.next;
    // Many may be none of this reader's: others have their turn between two pages.
    if (page.more) await new Promise<void>((done) => void ports.after(0, done));
  }
}

/** Server-sent events. It reads when its reader has taken what was sent before. */
export async function mergedEvents(
  log: ShardedLog,
  options: MergedLiveOptions,
): Promise<ReadableStream<Uint8Array>> {
  const start = await startOf(log, options.after);
  const pieces = follow(log, start, options);
  const encoder = new TextEncoder();
  let greeted = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const send = (text: string): void => controller.enqueue(encoder.encode(text));
        if (!greeted) {
          greeted = true;
          send(`retry: 1000\nid: ${start}\n\n`);
          return;
        }
        const { value } = await pieces.next();
        if (value === undefined) return;
        const { events, next } = value;
        if (events.length === 0) send(`: heartbeat\nid: ${next}\n\n`);
        else send(events.map(([cursor, line]) => eventFrame(cursor, line)).join(''));
      },
      cancel() {
        // Where it waits for a page, it ends with that.
        void pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}

/** A WebSocket, with the frames and the window of `live-sockets.ts`. */
export async function mergedSocket(log: ShardedLog, options: MergedLiveOptions): Promise<Response> {
  const start = await startOf(log, options.after);
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  const window = new Window();
  server.addEventListener('message', ({ data }) => {
    if (data === 'ping') server.send('pong');
    else if (!window.acknowledge(data))
      server.close(POLICY, 'say {"ack":"<cursor>"} with a cursor that you were given');
  });
  server.addEventListener('close', () => window.end());
  server.send(JSON.stringify({ cursor: start }));
  // Its first turn comes when the reader has the socket.
  options.ports.after(0, () => {
    void serve(server, follow(log, start, options), window).catch(() =>
      server.close(FAILED, 'the edge failed: connect again from your last cursor'),
    );
  });
  return new Response(null, { status: 101, webSocket: client });
}

async function serve(
  socket: WebSocket,
  pieces: AsyncGenerator<Piece, void>,
  window: Window,
): Promise<void> {
  for await (const { events, next } of pieces) {
    for (const [cursor, line] of events) {
      if (window.ended) return;
      socket.send(`{"cursor":"${cursor}","event":${line}}`);
      window.sent(line.length);
    }
    if (window.full) socket.send(JSON.stringify({ cursor: next, waiting: true }));
    await window.open();
    if (window.ended) return;
  }
}

/** What was sent to a reader since it has last acknowledged something. */
class Window {
  ended = false;
  #events = 0;
  #characters = 0;
  #opened: () => void = () => undefined;

  get full(): boolean {
    return (
      this.#events >= socketLimits.windowEvents || this.#characters >= socketLimits.windowCharacters
    );
  }

  sent(characters: number): void {
    this.#events++;
    this.#characters += characters;
  }

  /** Whether it was an acknowledgement. */
  acknowledge(said: string | ArrayBuffer): boolean {
    if (typeof said !== 'string' || !/^\{"ack":"[0-9a-z]{2,2000}"\}$/.test(said.replaceAll(/\s/g, '')))
      return false;
    this.#events = 0;
    this.#characters = 0;
    this.#opened();
    return true;
  }

  end(): void {
    this.ended = true;
    this.#opened();
  }

  /** Resolves when more may be sent, or nobody is there. */
  async open(): Promise<void> {
    while (this.full && !this.ended) await new Promise<void>((done) => (this.#opened = done));
  }
}
