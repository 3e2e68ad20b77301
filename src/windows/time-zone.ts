/** Where a time zone's days begin. Asked once a day of the calendar, never once an event. */
import { MillraceError } from '../errors.ts';

const DAY_MS = 86_400_000;
/** No zone is further from UTC than 14 hours; with a day skipped (Samoa, 2011), a midnight is found within two days. */
const SEARCH_MS = 2 * DAY_MS;
const CACHED_DAYS = 10_000;

/** @throws MillraceError `query.invalid` for a name that the platform does not know */
export function checkTimeZone(timeZone: string): void {
  formatterOf(timeZone);
}

/** Numbers the days of a zone: 0 is 1 January 1970 there. */
export class ZonedDays {
  readonly #format: Intl.DateTimeFormat;
  readonly #starts = new Map<number, number>();
  /** The day that was last asked for, for most events are of the same. */
  #day = 0;
  #from = Infinity;
  #to = -Infinity;

  constructor(timeZone: string) {
    this.#format = formatterOf(timeZone);
  }

  /** The number of the day that the time belongs to. */
  dayOf(timestamp: number): number {
    if (timestamp >= this.#from && timestamp < this.#to) return this.#day;
    let day = Math.floor(this.#local(timestamp) / DAY_MS);
    // The clocks of a skipped or a repeated midnight: the starts decide.
    while (this.startOf(day) > timestamp) day--;
    while (this.startOf(day + 1) <= timestamp) day++;
    this.#day = day;
    this.#from = this.startOf(day);
    this.#to = this.startOf(day + 1);
    return day;
  }

  /** The first instant whose local date is that day or a later one. */
  startOf(day: number): number {
    const known = this.#starts.get(day);
    if (known !== undefined) return known;
    if (this.#starts.size >= CACHED_DAYS) this.#starts.clear();
    const start = this.#search(day);
    this.#starts.set(day, start);
    return start;
  }

  #search(day: number): number {
    const midnight = day * DAY_MS;
    let before = midnight - SEARCH_MS;
    let from = midnight + SEARCH_MS;
    // The usual: the zone's offset does not change around midnight.
    const guess = midnight - (this.#local(midnight) - midnight);
    if (this.#isFrom(guess, midnight) && !this.#isFrom(guess - 1, midnight)) return guess;
    while (from - before > 1) {
      const middle = Math.floor((from + before) / 2);
      if (this.#isFrom(middle, midnight)) from = middle;
      else before = middle;
    }
    return from;
  }

  #isFrom(timestamp: number, midnight: number): boolean {
    return this.#local(timestamp) >= midnight;
  }

  /** The zone's clock at that instant, read as if it were UTC's. */
  #local(timestamp: number): number {
    const fields = new Map(this.#format.formatToParts(timestamp).map((part) => [part.type, part.value]));
    const of = (name: Intl.DateTimeFormatPartTypes): number => Number(fields.get(name));
    const year = fields.get('era') === 'BC' ? 1 - of('year') : of('year');
    const time = (of('hour') * 60 + of('minute')) * 60_000 + of('second') * 1000;
    return (
      dayNumber(year, of('month'), of('day')) * DAY_MS + time + (((timestamp % 1000) + 1000) % 1000)
    );
  }
}

/** Days since 1 January 1970 of the Gregorian calendar (Howard Hinnant, chrono-compatible low-level date algorithms). */
function dayNumber(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US-u-ca-gregory', {
      timeZone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (cause) {
    const reason = 'must be a time zone that the platform knows, such as Europe/Berlin';
    throw new MillraceError(
      'query.invalid',
      `windows: timeZone ${reason}: got ${String(timeZone)}`,
      { path: '/timeZone', value: timeZone, reason },
      { cause },
    );
  }
}
