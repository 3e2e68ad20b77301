/** `Retry-After` (RFC 9110, section 10.2.3): whole seconds, or an HTTP date. */
import { parseTimestamp } from '../event/timestamp.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of an HTTP date that is still sent. */
const HTTP_DATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT$/;

/** In ms from `now`, never negative; `undefined` where the header is missing or means nothing. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const [, day, month, year, time] = HTTP_DATE.exec(text) ?? [];
  const monthNumber = MONTHS.indexOf(month ?? '') + 1;
  if (monthNumber === 0) return undefined;
  const at = parseTimestamp(`${year}-${String(monthNumber).padStart(2, '0')}-${day}T${time}Z`);
  return at === undefined ? undefined : Math.max(0, at - now);
}
