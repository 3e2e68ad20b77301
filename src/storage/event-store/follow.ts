/**
 * Follows a log: catches up from a position, then goes on live, with no gap and no repeat. The log is read by pages from
 * the last position seen; a commit's hint only says when. Nothing is read ahead, so a slow reader holds one page.
 */
import type { Ports } from '../../ports.ts';
import type { Position } from '../position.ts';
import type { Query, Storage } from '../storage.ts';
import type { StoredEvent } from '../stored-event.ts';
import type { EventStore } from './event-store.ts';
import { readReadable } from './unreadable.ts';

export interface FollowOptions extends Pick<
  Query,
  'types' | 'subject' | 'correlationId' | 'after' | 'limit'
> {
  /** Ends the following, quietly. */
  readonly signal?: AbortSignal | undefined;
  /** Asks again after so long without a hint, for commits of another process may come without one. Default: 5,000. */
  readonly pollMs?: number | undefined;
  readonly ports: Pick<Ports, 'after'>;
}

const POLL_MS = 5_000;

/** @throws MillraceError as `EventStore.read` does: go on with `after` the last position that came. */
export async function* follow(
  store: EventStore,
  options: FollowOptions,
): AsyncGenerator<StoredEvent, void, undefined> {
  const { signal, ports, pollMs = POLL_MS, after: start = 0, ...selection } = options;
  const bell = new Bell(store.storage, ports, signal);
  let after: Position = start;
  try {
    while (!isAborted(signal)) {
      bell.reset();
      const { page, failure } = await readReadable(store, { ...selection, after });
      for (const stored of page.events) {
        if (isAborted(signal)) return;
        yield stored;
      }
      if (failure !== undefined) throw failure;
      after = page.next;
      if (!page.more && !isAborted(signal)) await bell.rung(pollMs);
    }
  } finally {
    bell.stop();
  }
}

/** Asked anew each time: it changes while others run. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

/** Rings at a commit. A commit between `reset` and `rung` is not missed. */
export class Bell {
  readonly #ports: Pick<Ports, 'after'>;
  readonly #undo: () => void;
  #heard = false;
  #wake: () => void = () => {};

  constructor(storage: Storage, ports: Pick<Ports, 'after'>, signal: AbortSignal | undefined) {
    this.#ports = ports;
    const ring = (): void => this.ring();
    const undo = storage.onCommit(ring);
    signal?.addEventListener('abort', ring);
    this.#undo = () => {
      undo();
      signal?.removeEventListener('abort', ring);
    };
    if (signal?.aborted === true) this.#heard = true;
  }

  ring(): void {
    this.#heard = true;
    this.#wake();
  }

  reset(): void {
    this.#heard = false;
  }

  /** Resolves at the next ring, at once where it has rung since `reset`, or after `limitMs`. */
  async rung(limitMs: number): Promise<void> {
    if (this.#heard) return;
    let undo = (): void => {};
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      undo = this.#ports.after(limitMs, resolve);
    });
    undo();
  }

  stop(): void {
    this.#undo();
  }
}
