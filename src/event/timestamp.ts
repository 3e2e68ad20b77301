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
  return `${formatted.text}${MILLISECONDS[ms]}`;
}

let formatted = { second: Number.NaN, text: '' };
const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => `${String(ms).padStart(3, '0')}Z`);

/**
 * The ms of an ISO 8601 time, or `undefined` if the text is none. Digits below the ms are cut. A time without a zone
 * is read as UTC, never as the host's own zone: the same text must mean the same on every machine.
 */
export function parseTimestamp(text: string): number | undefined {
  return parseCanonical(text) ?? parseAny(text);
}

/** The form that we write, `2015-05-17T10:05:03.000Z`, without a regular expression or a Date: once an event. */
function parseCanonical(text: string): number | undefined {
  if (text.length !== 24 || text[4] !== '-' || text[7] !== '-' || text[10] !== 'T' || text[23] !== 'Z')
    return undefined;
  if (text[13] !== ':' || text[16] !== ':' || text[19] !== '.') return undefined;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const day = digits(text, 8, 10);
  const hour = digits(text, 11, 13);
  const minute = digits(text, 14, 16);
  const second = digits(text, 17, 19);
  const ms = digits(text, 20, 23);
  const valid =
    month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour <= 23 && minute <= 59 && second <= 59;
  const time =
    daysFromCivil(year, month, day) * 86_400_000 +
    hour * 3_600_000 +
    minute * 60_000 +
    second * 1000 +
    ms;
  // NaN where a character was no digit; the last days of a month are left to the calendar.
  return valid && time === time ? time : undefined;
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
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
