/** `Retry-After` (RFC 9110, section 10.2.3): whole seconds, or an HTTP date. */
import { parseHttpDate } from '../event/timestamp.ts';

/** In ms from `now`, never negative; `undefined` where the header is missing or means nothing. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = parseHttpDate(text);
  return at === undefined ? undefined : Math.max(0, at - now);
}
