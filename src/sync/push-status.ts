/** What a pusher says of itself, kept up to date for whoever asks, and told to whoever listens. */
import type { MillraceError } from '../errors.ts';
import { asMillraceError } from './push-error.ts';

/**
 * `idle`: everything is acknowledged. `backoff`: the edge could not be reached, or refused. `offline`: switched off.
 * `fenced`: another leader has taken over, and this pusher has ended. `stopped`: it was told to end, or its log was closed.
 */
export type PushState = 'idle' | 'pushing' | 'backoff' | 'offline' | 'fenced' | 'stopped';

/** How the pusher is. How far its events have come stands in the log: see `readProgress`. */
export interface PushStatus {
  readonly state: PushState;
  /** What went wrong last, until a push succeeds. */
  readonly lastError?: MillraceError | undefined;
  /** In ms since the Unix epoch, while backing off. */
  readonly nextAttemptAt?: number | undefined;
  /** How far the edge's clock is ahead of this one's, as round trips tell. */
  readonly skewMs?: number | undefined;
}

export class PushStatusBoard {
  readonly #onStatus: ((status: PushStatus) => void) | undefined;
  #status: PushStatus = { state: 'idle' };

  constructor(onStatus: ((status: PushStatus) => void) | undefined) {
    this.#onStatus = onStatus;
  }

  get status(): PushStatus {
    return this.#status;
  }

  note(error: unknown): void {
    this.set({ lastError: asMillraceError(error) });
  }

  set(change: Partial<PushStatus>): void {
    this.#status = { ...this.#status, ...change };
  }

  show(state: PushState): void {
    this.set({ state });
    try {
      this.#onStatus?.(this.#status);
    } catch {
      // The listener's own defect: it must not stop the events.
    }
  }
}
