/**
 * Counts how many dispatches led to an event: one more than the event that caused it, or than its own last dispatch.
 *
 * Kept in memory for the last events dispatched, by id, so that a loop is found however its events travel, as long as
 * they name their cause. A loop that more other events pass by than are kept goes unseen, and is that much slower.
 */
import type { Event } from '../event/event.ts';

const KEPT = 10_000;

export class HopCounter {
  /** From the one dispatched longest ago on. */
  readonly #hops = new Map<string, number>();

  /** @param given What the caller knows; else it follows from the events before. */
  count(event: Event, given: number | undefined): number {
    const hops = given ?? Math.max(this.#after(event.id), this.#after(event.causationId));
    this.#hops.delete(event.id);
    this.#hops.set(event.id, hops);
    if (this.#hops.size > KEPT) this.#hops.delete(this.#hops.keys().next().value!);
    return hops;
  }

  #after(id: string | undefined): number {
    const hops = id === undefined ? undefined : this.#hops.get(id);
    return hops === undefined ? 0 : hops + 1;
  }
}
