/** Minutes of event time, and the stretch of them that the charts show. */

export const MINUTE_MS = 60_000;
/** How much of the past the charts show. */
export const SHOWN_MINUTES = 30;

export interface TimeRange {
  /** In ms since the Unix epoch, the start of a minute. */
  readonly from: number;
  /** Exclusive, the end of a minute. */
  readonly to: number;
}

/** The last half hour, the minute that runs now included. */
export function shownRange(now: number): TimeRange {
  const to = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
  return { from: to - SHOWN_MINUTES * MINUTE_MS, to };
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** `14:03`, where the reader is. */
export function formatTime(timestamp: number): string {
  return clock.format(timestamp);
}
