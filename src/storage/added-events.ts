/** The events that a plan adds to a log, by id and by subject. */
import type { Event } from '../event/event.ts';
import type { Position } from './position.ts';

export interface PlacedEvent {
  readonly position: Position;
  readonly event: Event;
}

/** A plan of one commit asks for little of it: what was added is taken in when somebody asks. */
export class AddedEvents {
  readonly #events: readonly Event[];
  readonly #before: Position;
  readonly #ids = new Map<string, PlacedEvent>();
  #found = 0;
  readonly #counts = new Map<string, number>();
  #counted = 0;

  /** `events` grow; the first of them stands behind `before`. */
  constructor(events: readonly Event[], before: Position) {
    this.#events = events;
    this.#before = before;
  }

  find(id: string): PlacedEvent | undefined {
    while (this.#found < this.#events.length) {
      const event = this.#events[this.#found++]!;
      this.#ids.set(event.id, { position: this.#before + this.#found, event });
    }
    return this.#ids.get(id);
  }

  /** How many of each subject. */
  get counts(): ReadonlyMap<string, number> {
    while (this.#counted < this.#events.length) {
      const { subject } = this.#events[this.#counted++]!;
      if (subject !== undefined) this.#counts.set(subject, (this.#counts.get(subject) ?? 0) + 1);
    }
    return this.#counts;
  }
}
