/**
 * Tells subscriptions that a log has grown. A hint and no more: what it says is found out by whoever misses it, so that
 * it is neither waited for nor tried again, and commits that come close together are one.
 */
import type { Ports } from '../../../src/ports.ts';

export interface HintsOptions {
  /** Passes the hint on. */
  readonly hint: () => Promise<void>;
  readonly ports: Pick<Ports, 'after'>;
}

/** Between two hints, at least. Short: a timer keeps its object from being put to sleep. */
const PAUSE_MS = 20;

export class CommitHints {
  readonly #options: HintsOptions;
  #busy = false;
  #again = false;

  constructor(options: HintsOptions) {
    this.#options = options;
  }

  /** To be called after each commit. Returns at once. */
  committed(): void {
    this.#again = true;
    if (!this.#busy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    this.#again = false;
    await this.#options.hint().catch(() => undefined);
    this.#options.ports.after(PAUSE_MS, () => {
      this.#busy = false;
      if (this.#again) void this.#run();
    });
  }
}
