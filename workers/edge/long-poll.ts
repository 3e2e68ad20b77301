/** Waits for the first page that holds an event: what a reader asks for who can neither stream nor poll often. */
import type { Ports } from '../../src/ports.ts';
import type { Page, Storage } from '../../src/storage/storage.ts';

export interface LongPollOptions {
  readonly storage: Pick<Storage, 'onCommit'>;
  readonly waitMs: number;
  readonly ports: Pick<Ports, 'now' | 'after'>;
  /** Aborted when nothing more comes. */
  readonly signal?: AbortSignal | undefined;
  /** Reads on after the last page. */
  readonly read: (last: Page | undefined) => Promise<Page>;
}

/** The first page with an event, or the last that was read when the time is over or the log has ended. */
export async function longPoll({
  storage,
  waitMs,
  ports,
  signal,
  read,
}: LongPollOptions): Promise<Page> {
  const until = ports.now() + waitMs;
  let page: Page | undefined;
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    // Listened for before the read, so that a commit in between is not missed.
    const undoCommit = storage.onCommit(wake);
    const undoTimer = ports.after(Math.max(0, until - ports.now()), wake);
    signal?.addEventListener('abort', wake);
    const ended = signal?.aborted === true;
    try {
      page = await read(page);
      const over = ports.now() >= until || (ended && !page.more);
      if (page.events.length > 0 || over) return page;
      if (!page.more) await promise;
    } finally {
      undoCommit();
      undoTimer();
      signal?.removeEventListener('abort', wake);
    }
  }
}
