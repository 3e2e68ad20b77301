/**
 * How much of its room a device's log fills, and which events are still taken: each priority has a share, so that the low
 * ones are shed first and the critical last, and what is left to each is kept free of those below it. What is in the log
 * already has its receipt, and is never shed.
 *
 * The browser's own quota cannot be known before it is reached: `estimate` answers with a figure that says nothing, against
 * fingerprinting. What it refuses is held by the page, in the same shares.
 */
import { MillraceError } from '../../src/errors.ts';
import type { Event } from '../../src/event/event.ts';
import { encodeLine } from '../../src/event/wire.ts';

/** The part of the room up to which an event of priority 1 to 4 is taken. */
export const shares: readonly number[] = [0.7, 0.8, 0.9, 1];

/** Characters of events. */
export const MAX_BYTES = 52_428_800;

export class DeviceBudget {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The log's size. */
  observe(bytes: number): void {
    this.#bytes = bytes;
  }

  /** What is at the edge must go, before anything is shed for it. */
  get tight(): boolean {
    return this.#bytes > this.#maxBytes / 2;
  }

  /** They did not come into the log. */
  giveBack(events: readonly Event[]): void {
    for (const event of events) this.#bytes -= encodeLine(event).length;
  }

  /** Takes the event's size into account, or says why it is shed. */
  take(event: Event): MillraceError<'limit.exceeded'> | undefined {
    const { priority } = event;
    const maximum = shares[priority - 1]!;
    const actual = this.#bytes / this.#maxBytes;
    if (actual < maximum) {
      this.#bytes += encodeLine(event).length;
      return undefined;
    }
    const text = `the device has no room for an event of priority ${priority}: it is shed; it needs the edge, or a larger maxBytes`;
    return new MillraceError('limit.exceeded', text, { limit: 'log.room', maximum, actual });
  }
}
