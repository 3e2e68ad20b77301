/**
 * The live stream: server-sent events that follow the log by cursor (HTML standard, section 9.2). A commit's hint only
 * wakes it, what it sends is read from the log: no gap between catching up and following, and no event twice. It reads
 * when its reader has taken what was sent before, so that a slow reader costs no memory; between two reads it holds
 * nothing but its position.
 */
import type { Ports } from '../../src/ports.ts';
import { formatCursor } from '../../src/storage/cursor.ts';
import type { Position } from '../../src/storage/position.ts';
import type { Page, Storage } from '../../src/storage/storage.ts';
import { readBounded } from './bounded-page.ts';

/** The most that is sent at once, and so the most that one slow reader can keep in memory. */
const PIECE_EVENTS = 100;
const PIECE_CHARACTERS = 262_144;
const HEARTBEAT_MS = 15_000;

export interface LiveOptions {
  /** Sends what stands after it. Default: the log's head now. */
  readonly after?: Position | undefined;
  readonly ports: Pick<Ports, 'after'>;
  /** A comment is sent after this long without an event, so that a lost reader is noticed. Default: 15,000. */
  readonly heartbeatMs?: number | undefined;
}

/** The stream's head names the cursor that it starts from: whoever loses it before an event resumes there. */
export async function openLive(
  storage: Storage,
  options: LiveOptions,
): Promise<ReadableStream<Uint8Array>> {
  const { head } = await storage.stats();
  // A cursor from beyond the head is of another log, or of a state that was lost: what comes next is new to it. Pages
  // refuse it. Here that would end an EventSource for good, which asks again with the cursor it has and shows nobody why.
  const start = Math.min(options.after ?? head, head);
  return new LiveStream(storage, options, start).stream;
}

class LiveStream {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #storage: Storage;
  readonly #options: LiveOptions;
  readonly #encoder = new TextEncoder();
  #position: Position;
  #greeted = false;
  #cancelled = false;
  #wake: () => void = () => undefined;

  constructor(storage: Storage, options: LiveOptions, start: Position) {
    this.#storage = storage;
    this.#options = options;
    this.#position = start;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await this.#next();
          if (!this.#cancelled) controller.enqueue(this.#encoder.encode(piece));
        },
        cancel: () => {
          this.#cancelled = true;
          this.#wake();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** What to send next: events, or a heartbeat where none came in time. */
  async #next(): Promise<string> {
    if (!this.#greeted) {
      this.#greeted = true;
      return `retry: 1000\nid: ${formatCursor(this.#position)}\n\n`;
    }
    // Listened for before the read, so that a commit in between is not missed.
    const hint = this.#hint();
    try {
      const sent = await this.#read();
      if (sent !== '') return sent;
      await hint.given;
      return (await this.#read()) || ': heartbeat\n\n';
    } finally {
      hint.undo();
    }
  }

  async #read(): Promise<string> {
    const query = { after: this.#position, limit: PIECE_EVENTS };
    const page = await readBounded(this.#storage, query, PIECE_CHARACTERS);
    this.#position = page.next;
    return frames(page);
  }

  #hint(): { readonly given: Promise<void>; readonly undo: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const undoCommit = this.#storage.onCommit(() => resolve());
    const undoTimer = this.#options.ports.after(this.#options.heartbeatMs ?? HEARTBEAT_MS, resolve);
    return {
      given: promise,
      undo: () => {
        undoCommit();
        undoTimer();
      },
    };
  }
}

function frames(page: Page): string {
  return page.events.map(({ position, line }) => frame(formatCursor(position), line)).join('');
}

/** JSON may hold a carriage return between its tokens, which would end the field: it goes on in another one. */
function frame(cursor: string, line: string): string {
  return `id: ${cursor}\nevent: event\ndata: ${line.replaceAll('\r', '\ndata: ')}\n\n`;
}
