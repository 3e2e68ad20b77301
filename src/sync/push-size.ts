/**
 * How much to push at once. Where the edge refuses a push without saying which event is to blame, the range is halved
 * until the event stands alone: of n events, at most log₂ n + 2 pushes find it. Where no event turns out to be to blame
 * it was the size, which then stays below what was refused, and grows back slowly.
 */
import type { Position } from '../storage/storage.ts';
import type { Outgoing, PushBounds } from './outgoing.ts';

/** So many accepted pushes in a row before the size is doubled again. */
const ACCEPTED_BEFORE_GROWTH = 32;

export class PushSize {
  readonly #most: PushBounds;
  #bounds: PushBounds;
  #accepted = 0;
  /** Something up to here is to blame. */
  #suspectUntil: Position | undefined;
  #found = false;
  /** The largest push accepted since the search began. */
  #largest: PushBounds = { events: 1, characters: 1 };

  constructor(most: PushBounds) {
    this.#most = most;
    this.#bounds = most;
  }

  get bounds(): PushBounds {
    return this.#bounds;
  }

  get searching(): boolean {
    return this.#suspectUntil !== undefined;
  }

  /** Nothing past this position, while an event is searched for. */
  until(acked: Position): Position | undefined {
    const end = this.#suspectUntil;
    return end === undefined ? undefined : acked + Math.max(1, Math.floor((end - acked) / 2));
  }

  /** Refused as a whole. */
  refused(outgoing: Outgoing): void {
    if (this.#suspectUntil === undefined) {
      this.#found = false;
      this.#largest = { events: 1, characters: 1 };
    }
    this.#suspectUntil = outgoing.last;
    this.#accepted = 0;
  }

  /** An event was to blame, and is one no longer. */
  found(): void {
    this.#found = true;
  }

  accepted(outgoing: Outgoing): void {
    const events = outgoing.push.count;
    const characters = outgoing.push.lines.reduce((sum, line) => sum + line.length, 0);
    if (this.#suspectUntil === undefined) this.#grow();
    else if (events >= this.#largest.events)
      this.#largest = { events, characters: Math.max(characters, 1) };
    if (this.#suspectUntil === undefined || outgoing.last < this.#suspectUntil) return;
    this.#suspectUntil = undefined;
    if (!this.#found) this.#bounds = this.#largest;
  }

  #grow(): void {
    if (++this.#accepted < ACCEPTED_BEFORE_GROWTH) return;
    this.#accepted = 0;
    this.#bounds = {
      events: Math.min(this.#most.events, this.#bounds.events * 2),
      characters: Math.min(this.#most.characters, this.#bounds.characters * 2),
    };
  }
}
