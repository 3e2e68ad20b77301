/** Waits for the first page that holds an event: what a reader asks for who can neither stream nor poll often. */
import type { Ports } from '../../src/ports.ts';
import type { Page, Storage } from '../../src/storage/storage.ts';

export interface LongPollOptions {
  readonly storage: Pick<Storage, 'onCommit'>;
  readonly waitMs: number;
  readonly ports: Pick<Ports, 'now' | 'after'>;
  /** Reads on after the last page. */
  readonly read: (last: Page | undefined) => Promise<Page>;
}

/** The first page with an event, or the last that was read when the time is over. */
export async function longPoll({ storage, waitMs, ports, read }: LongPollOptions): Promise<Page> {
  const until = ports.now() + waitMs;
  let page: Page | undefined;
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Listened for before the read, so that a commit in between is not missed.
    const undoCommit = storage.onCommit(() => resolve());
    const undoTimer = ports.after(Math.max(0, until - ports.now()), resolve);
    try {
      page = await read(page);
      if (page.events.length > 0 || ports.now() >= until) return page;
      if (!page.more) await promise;
    } finally {
      undoCommit();
      undoTimer();
    }
  }
}
