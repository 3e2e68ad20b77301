/**
 * What a shard does behind its answers: its view is caught up, its small segments are merged. Both go in bounded steps
 * with room for requests between them, and nothing is lost with the memory: a later commit starts both again.
 */
import type { Ports } from '../../src/ports.ts';
import type { Storage } from '../../src/storage/storage.ts';

export interface UpkeepOptions {
  readonly storage: Pick<Storage, 'compact'>;
  /** One bounded step. Resolves to whether there is more to do. */
  readonly catchUp: () => Promise<boolean>;
  readonly ports: Pick<Ports, 'after'>;
  readonly onError: (error: unknown) => void;
}

const COMMITS_A_COMPACTION = 64;

export class Upkeep {
  readonly #options: UpkeepOptions;
  /** At its bound from the start: an object that sleeps between commits would never come to count so many. */
  #commits = COMMITS_A_COMPACTION - 1;
  #scheduled = false;
  #compacting = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** To be called after each commit. Returns at once. */
  committed(): void {
    this.#commits++;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.ports.after(0, () => void this.#run());
  }

  async #run(): Promise<void> {
    let more = false;
    try {
      more = await this.#step();
    } catch (error) {
      this.#options.onError(error);
    }
    this.#scheduled = false;
    if (more) this.#schedule();
  }

  async #step(): Promise<boolean> {
    if (await this.#options.catchUp()) return true;
    if (this.#commits >= COMMITS_A_COMPACTION) {
      this.#commits = 0;
      this.#compacting = true;
    }
    if (this.#compacting) this.#compacting = await this.#options.storage.compact();
    return this.#compacting;
  }
}
