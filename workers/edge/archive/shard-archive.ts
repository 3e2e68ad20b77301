/** A shard's archiving, a step at a time, behind its answers. One that fails is left alone for a while. */
import type { Ports } from '../../../src/ports.ts';
import type { SqliteStorage } from '../../../src/storage/sqlite.ts';

/** After a failure; and after an erasure, since what was brought back for one would be for the next. */
const PAUSE_MS = 60_000;

export interface ShardArchiveOptions {
  readonly storage: Pick<SqliteStorage, 'archive'>;
  /** How old a segment is that goes. */
  readonly olderThanMs: number;
  readonly ports: Pick<Ports, 'now'>;
}

export class ShardArchive {
  readonly #options: ShardArchiveOptions;
  #notBefore = 0;
  #nextAt: number | undefined;

  constructor(options: ShardArchiveOptions) {
    this.#options = options;
  }

  /** When there will be something to archive, where that is known: in ms since the Unix epoch. */
  get nextAt(): number | undefined {
    return this.#nextAt;
  }

  /** Nothing goes to the archive for a minute. */
  pause(): void {
    this.#notBefore = this.#options.ports.now() + PAUSE_MS;
  }

  /** One bounded step. Resolves to whether there is more to do now. */
  async step(): Promise<boolean> {
    const { storage, olderThanMs, ports } = this.#options;
    const now = ports.now();
    if (now < this.#notBefore) {
      this.#nextAt = this.#notBefore;
      return false;
    }
    try {
      const { more, nextAt } = await storage.archive({ now, olderThanMs });
      this.#nextAt = nextAt;
      return more;
    } catch (error) {
      this.pause();
      this.#nextAt = this.#notBefore;
      throw error;
    }
  }
}
