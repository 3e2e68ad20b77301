/** Whether an event's line can be written, told without writing it: a log in memory has none before it is asked for. */
import { eventLimits, type Event } from '../event/event.ts';

/** What JSON makes of a UTF-16 code unit at the most. */
const ESCAPED = 6;
/** More than a number, `false` or `null` takes, with the comma behind it. */
const SCALAR = 32;
/** More than the quotes, brackets, colon and comma around a text, a list or an object. */
const PUNCTUATION = 4;
/** More than all of a line but its data: every text in it has a bound of its own. */
const ENVELOPE = 16_384;

/** Where it is `false`, only writing it can tell. */
export function isPlainlyEncodable(event: Event): boolean {
  return roomAfter(event.data, eventLimits.line - ENVELOPE) >= 0;
}

/** What the value leaves of the room; less than nothing, too, where it may have a word in how it is written (`toJSON`). */
function roomAfter(value: unknown, room: number): number {
  if (typeof value === 'string') return room - value.length * ESCAPED - PUNCTUATION;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return room - SCALAR;
  if (typeof value !== 'object') return -1;
  const prototype: unknown = Object.getPrototypeOf(value);
  const plain = prototype === Object.prototype || prototype === Array.prototype;
  if (!plain) return -1;
  let left = room - PUNCTUATION;
  for (const key in value) {
    left -= key.length * ESCAPED + PUNCTUATION;
    if (left >= 0) left = roomAfter((value as Record<string, unknown>)[key], left);
    if (left < 0) return -1;
  }
  return left;
}
