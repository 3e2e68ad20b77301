/**
 * The live stream: server-sent events that follow the log by cursor (HTML standard, section 9.2). A commit's hint only
 * wakes it, what it sends is read from the log: no gap between catching up and following, and no event twice. It reads
 * when its reader has taken what was sent before, so that a slow reader costs no memory; between two reads it holds
 * nothing but its position.
 */
import type { Ports } from '../../src/ports.ts';
import { formatCursor } from '../../src/storage/cursor.ts';
import type { EventPredicate } from '../../src/routing/condition.ts';
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
  /** Sends only these. Default: all. */
  readonly matches?: EventPredicate | undefined;
  readonly ports: Pick<Ports, 'after'>;
  /** Aborted when the log takes nothing more: the stream ends when all was sent. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the stream has ended, or its reader has gone: once or more. */
  readonly onEnd?: (() => void) | undefined;
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
          const piece = await this.#next().catch((error: unknown) => {
            options.onEnd?.();
            throw error;
          });
          if (this.#cancelled) return;
          if (piece !== undefined) return controller.enqueue(this.#encoder.encode(piece));
          controller.close();
          options.onEnd?.();
        },
        cancel: () => {
          this.#cancelled = true;
          this.#wake();
          options.onEnd?.();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** What to send next: events, or a heartbeat where none came in time. Nothing at the end. */
  async #next(): Promise<string | undefined> {
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
      const late = await this.#read();
      if (late !== '') return late;
      return this.#options.signal?.aborted ? undefined : this.#heartbeat();
    } finally {
      hint.undo();
    }
  }

  async #read(): Promise<string> {
    const { matches } = this.#options;
    for (;;) {
      const query = { after: this.#position, limit: PIECE_EVENTS };
      const page = await readBounded(this.#storage, query, PIECE_CHARACTERS);
      this.#position = page.next;
      const sent = frames(page, matches);
      if (sent !== '' || !page.more || this.#cancelled) return sent;
      // Many may be none of this reader's: others have their turn between two pages.
      await new Promise<void>((done) => void this.#options.ports.after(0, done));
    }
  }

  /** Of a reader that is sent few of the events, it also brings the cursor on. */
  #heartbeat(): string {
    const cursor = this.#options.matches === undefined ? '' : `id: ${formatCursor(this.#position)}\n`;
    return `: heartbeat\n${cursor}\n`;
  }

  #hint(): { readonly given: Promise<void>; readonly undo: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const undoCommit = this.#storage.onCommit(() => resolve());
    const { signal, heartbeatMs = HEARTBEAT_MS, ports } = this.#options;
    const undoTimer = ports.after(heartbeatMs, resolve);
    const ended = (): void => resolve();
    signal?.addEventListener('abort', ended);
    if (signal?.aborted) resolve();
    return {
      given: promise,
      undo: () => {
        signal?.removeEventListener('abort', ended);
        undoCommit();
        undoTimer();
      },
    };
  }
}

function frames(page: Page, matches: EventPredicate | undefined): string {
  const events = matches === undefined ? page.events : page.events.filter(({ event }) => matches(event));
  return events.map(({ position, line }) => eventFrame(formatCursor(position), line)).join('');
}

/** JSON may hold a carriage return between its tokens, which would end the field: it goes on in another one. */
export function eventFrame(cursor: string, line: string): string {
  return `id: ${cursor}\nevent: event\ndata: ${line.replaceAll('\r', '\ndata: ')}\n\n`;
}
