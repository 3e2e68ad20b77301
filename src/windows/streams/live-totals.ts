/** Totals of a live stream, between two steps. */
import type { KeptTotal, Totals } from './results.ts';

export class LiveTotals implements Totals {
  readonly #totals = new Map<string, KeptTotal>();

  get(place: string): KeptTotal | undefined {
    return this.#totals.get(place);
  }

  set(place: string, total: KeptTotal): void {
    this.#totals.set(place, total);
  }

  /** Of windows that have ended by then: no event changes them any more. */
  forget(until: number): void {
    for (const [place, { end }] of this.#totals) if (end <= until) this.#totals.delete(place);
  }
}
