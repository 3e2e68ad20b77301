/** The events that a plan adds to a log, by id and by subject. */
import type { Event } from '../event/event.ts';
import type { Position } from './position.ts';

export interface PlacedEvent {
  readonly position: Position;
  readonly event: Event;
}

/** A plan of one commit asks for none of it: what was added is taken in when a later one asks. */
export class AddedEvents {
  /** How many of each subject. */
  readonly counts = new Map<string, number>();
  readonly #ids = new Map<string, PlacedEvent>();
  readonly #before: Position;
  #followed = 0;

  constructor(before: Position) {
    this.#before = before;
  }

  find(id: string): PlacedEvent | undefined {
    return this.#ids.get(id);
  }

  follow(events: readonly Event[]): this {
    while (this.#followed < events.length) {
      const event = events[this.#followed++]!;
      this.#ids.set(event.id, { position: this.#before + this.#followed, event });
      const { subject } = event;
      if (subject !== undefined) this.counts.set(subject, (this.counts.get(subject) ?? 0) + 1);
    }
    return this;
  }
}
