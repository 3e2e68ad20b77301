/**
 * Waiting for whichever of several shards has something first. Each shard is asked one question at a time, however often
 * its reader comes back: else those that stay silent would be asked anew with every event of the others.
 */

/** Asks a shard, and gives its answer when there is something, or its time is over. */
export type Ask = () => Promise<unknown>;

export class ShardWaits {
  readonly #asked = new Map<string, Promise<unknown>>();

  /**
   * Resolves when the first has answered. An answer that came while nobody waited is passed over: what it was about
   * stands behind the reader's cursor already, or is answered at once when it is asked again.
   *
   * @throws what the first one fails with
   */
  async first(asks: ReadonlyMap<string, Ask>): Promise<void> {
    await Promise.race([...asks].map(([name, ask]) => this.#asked.get(name) ?? this.#ask(name, ask)));
  }

  #ask(name: string, ask: Ask): Promise<unknown> {
    const asked = ask().finally(() => this.#asked.delete(name));
    // Where nobody waits any more it is nobody's failure.
    asked.catch(() => undefined);
    this.#asked.set(name, asked);
    return asked;
  }
}
