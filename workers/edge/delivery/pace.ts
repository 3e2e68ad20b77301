/**
 * How many requests may go out now, where an endpoint allows so many a minute: the generic cell rate algorithm (ITU-T
 * I.371), which needs to keep one number alone. No minute, wherever it begins, sees more than the rate.
 */

const MINUTE_MS = 60_000;
/** What may go out early, so that a high rate needs no timer for each request. */
const BURST_MS = 1_000;

/** Between two requests, with what the burst takes from the minute. */
function intervalMs(ratePerMinute: number): number {
  return (MINUTE_MS + BURST_MS) / ratePerMinute;
}

/** `paceAt` is what `paced` gave last, 0 in the beginning. */
export function allowance(paceAt: number, ratePerMinute: number, now: number): number {
  const ahead = Math.max(0, paceAt - now);
  return ahead > BURST_MS ? 0 : Math.floor((BURST_MS - ahead) / intervalMs(ratePerMinute)) + 1;
}

/** After so many requests at that time. */
export function paced(paceAt: number, ratePerMinute: number, now: number, requests: number): number {
  return Math.max(paceAt, now) + requests * intervalMs(ratePerMinute);
}

/** When at least one is allowed. */
export function allowedAt(paceAt: number): number {
  return Math.ceil(paceAt - BURST_MS);
}
