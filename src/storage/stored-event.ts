/** An event where it stands in a log. Its line is at hand; the event is decoded when it is first asked for. */
import type { Event } from '../event/event.ts';
import { decodeLine } from '../event/wire.ts';
import type { Position } from './position.ts';

export class StoredEvent {
  readonly position: Position;
  /** The event in its wire form, as it was captured. */
  readonly line: string;
  #event: Event | undefined;

  constructor(position: Position, line: string, event?: Event) {
    this.position = position;
    this.line = line;
    this.#event = event;
  }

  /** @throws MillraceError `event.invalid` where the line was damaged at rest. */
  get event(): Event {
    return (this.#event ??= decodeLine(this.line));
  }
}
