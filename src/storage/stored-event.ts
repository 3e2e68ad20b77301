/** An event where it stands in a log. Its line is at hand; the event is decoded when it is first asked for. */
import type { Event } from '../event/event.ts';
import { decodeLine } from '../event/wire.ts';
import type { Position } from './position.ts';

export interface LineDecoder {
  /** Nothing where it cannot: the line is decoded for itself then, and says why. */
  decode(position: Position, line: string): Event | undefined;
}

/** An interface beside its class: what crosses from a worker to its page is plain data. */
export interface StoredEvent {
  readonly position: Position;
  /** The event in its wire form, as it was captured. */
  readonly line: string;
  /** @throws MillraceError `event.invalid` where the line was damaged at rest. */
  readonly event: Event;
}

class DecodedEvent implements StoredEvent {
  readonly position: Position;
  readonly line: string;
  #event: Event | undefined;
  #decode: LineDecoder | undefined;

  constructor(position: Position, line: string, event?: Event, decode?: LineDecoder) {
    this.position = position;
    this.line = line;
    this.#event = event;
    this.#decode = decode;
  }

  get event(): Event {
    const { line } = this;
    return (this.#event ??= this.#decode?.decode(this.position, line) ?? decodeLine(line));
  }
}

/** `decode` knows more of the line than the line says; default: it is decoded for itself. */
export const StoredEvent: new (
  position: Position,
  line: string,
  event?: Event,
  decode?: LineDecoder,
) => StoredEvent = DecodedEvent;
