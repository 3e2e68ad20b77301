/**
 * Exponential backoff with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
 * the wait is uniform between nothing and a ceiling that doubles, so that many producers do not come back in step.
 */
import type { Ports } from '../ports.ts';

export interface BackoffOptions {
  /** The ceiling of the first wait. Default: 250. */
  readonly firstMs?: number;
  /** The ceiling never rises above this. Default: 30,000. */
  readonly maximumMs?: number;
}

/** The longest that a `Retry-After` is obeyed, so that one absurd answer cannot silence a producer: an hour. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;

export class Backoff {
  readonly #random: Ports['random'];
  readonly #firstMs: number;
  readonly #maximumMs: number;
  #failures = 0;

  constructor(ports: Pick<Ports, 'random'>, options: BackoffOptions = {}) {
    this.#random = () => ports.random();
    this.#firstMs = options.firstMs ?? 250;
    this.#maximumMs = options.maximumMs ?? 30_000;
  }

  /** Counts a failure; how long to wait before the next try, never less than the edge asked for. */
  failed(retryAfterMs = 0): number {
    const ceiling = Math.min(this.#maximumMs, this.#firstMs * 2 ** Math.min(this.#failures++, 30));
    return Math.max(this.#random() * ceiling, Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS));
  }

  /** A success: the next failure starts from the first wait again. */
  reset(): void {
    this.#failures = 0;
  }
}
