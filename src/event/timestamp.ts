/**
 * Time as the model and the wire write it: ms since the Unix epoch inside, ISO 8601 outside.
 *
 * `Date` is used here alone, as a pure calendar: no function of this file reads the clock.
 */

const ISO_8601 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2})?)(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?$/;

/** The largest time that ISO 8601 writes with four digits of year: 9999-12-31T23:59:59.999Z. */
export const MAX_TIMESTAMP = 253_402_300_799_999;
/** The smallest: 0000-01-01T00:00:00.000Z. */
export const MIN_TIMESTAMP = -62_167_219_200_000;

const ZERO = 0x30;
const CANONICAL_LENGTH = '2015-05-17T10:05:03.000Z'.length;

/** Whether `value` is a whole number of ms that ISO 8601 can write. */
export function isTimestamp(value: unknown): value is number {
  return (
    Number.isInteger(value) && (value as number) >= MIN_TIMESTAMP && (value as number) <= MAX_TIMESTAMP
  );
}

/** `2015-05-17T10:05:03.000Z`. Times of one second, as a page's clicks mostly are, share the work. */
export function formatTimestamp(timestamp: number): string {
  const ms = ((timestamp % 1000) + 1000) % 1000;
  const second = timestamp - ms;
  if (second !== formatted.second) {
    formatted = { second, text: new Date(second).toISOString().slice(0, -4) };
  }
  return `${formatted.text}${String(ms).padStart(3, '0')}Z`;
}

/** The last second that was written, up to its point. */
let formatted = { second: 0, text: '1970-01-01T00:00:00.' };

/**
 * The ms of an ISO 8601 time, or `undefined` if the text is none. Digits below the ms are cut. A time without a zone
 * is read as UTC, never as the host's own zone: the same text must mean the same on every machine.
 */
export function parseTimestamp(text: string): number | undefined {
  return parseCanonical(text) ?? parseAny(text);
}

/** The form that we write, known by being written the same: once an event, so without a regular expression. */
function parseCanonical(text: string): number | undefined {
  if (text.length === CANONICAL_LENGTH && text.startsWith(formatted.text) && text.endsWith('Z')) {
    const ms = msOf(text);
    if (ms >= 0) return formatted.second + ms;
  }
  const time = text.length === CANONICAL_LENGTH ? Date.parse(text) : NaN;
  return isTimestamp(time) && formatTimestamp(time) === text ? time : undefined;
}

/** Of the three digits behind the point; negative where they are none. */
function msOf(text: string): number {
  let ms = 0;
  for (let i = CANONICAL_LENGTH - 4; i < CANONICAL_LENGTH - 1; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    ms = ms * 10 + digit;
  }
  return ms;
}

function parseAny(text: string): number | undefined {
  const match = ISO_8601.exec(text);
  if (match === null) return undefined;
  const [, date, time, fraction = '', zone = 'Z'] = match;
  const parsed = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${zone.toUpperCase()}`);
  if (!isTimestamp(parsed)) return undefined;
  // Date.parse rolls 30 February over into March: a day that does not come back is none.
  return isCalendarDay(date!) ? parsed : undefined;
}

function isCalendarDay(date: string): boolean {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(date);
}

/**
 * The ms of an HTTP date in the one form that is still sent (RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`), known
 * by being written the same; `undefined` for any other text.
 */
export function parseHttpDate(text: string): number | undefined {
  const time = Date.parse(text);
  return isTimestamp(time) && new Date(time).toUTCString() === text ? time : undefined;
}
