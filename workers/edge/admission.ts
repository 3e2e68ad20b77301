/**
 * The bound of what waits at a shard: an object takes requests in faster than it commits them, and what it holds of them
 * is its memory. Beyond the bound a request is refused at once, to come again: 429 with `Retry-After` over HTTP.
 */
import { MillraceError } from '../../src/errors.ts';

export interface AdmissionLimits {
  readonly requests: number;
  readonly characters: number;
}

/** Lines are held as they came and decoded, within the 128 MB that an object has. */
export const admissionLimits: AdmissionLimits = { requests: 1000, characters: 16_777_216 };

/** What is waiting is committed in less; longer would leave the shard idle. */
const RETRY_AFTER_MS = 1000;

export class Admission {
  readonly #limits: AdmissionLimits;
  #requests = 0;
  #characters = 0;
  #refused = 0;
  readonly #leaving: (() => void)[] = [];

  constructor(limits: AdmissionLimits = admissionLimits) {
    this.#limits = limits;
  }

  /** What waits now, and how many requests were refused since the object was woken. */
  get waiting(): { readonly requests: number; readonly characters: number; readonly refused: number } {
    return { requests: this.#requests, characters: this.#characters, refused: this.#refused };
  }

  /**
   * One request is always let in, however long its lines are.
   *
   * @throws MillraceError `shard.busy`
   */
  async hold<T>(lines: readonly string[], run: () => Promise<T>): Promise<T> {
    const characters = lines.reduce((sum, line) => sum + line.length, 0);
    this.#check(characters);
    this.#requests++;
    this.#characters += characters;
    try {
      return await run();
    } finally {
      this.#requests--;
      this.#characters -= characters;
      for (const left of this.#leaving.splice(0)) left();
    }
  }

  /** Resolves when none is held. */
  async idle(): Promise<void> {
    while (this.#requests > 0) await new Promise<void>((done) => this.#leaving.push(done));
  }

  #check(characters: number): void {
    const { requests, characters: most } = this.#limits;
    const full = this.#requests >= requests || this.#characters + characters > most;
    if (!full || this.#requests === 0) return;
    this.#refused++;
    const details = {
      requests: this.#requests,
      characters: this.#characters,
      retryAfterMs: RETRY_AFTER_MS,
    };
    const message = `${this.#requests} requests with ${this.#characters} characters wait to be committed; nothing of this one was stored: try again in a second`;
    throw new MillraceError('shard.busy', message, details);
  }
}
