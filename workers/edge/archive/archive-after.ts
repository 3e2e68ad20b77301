/** After how long segments go to the archive. */
const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;

/**
 * `MILLRACE_ARCHIVE_AFTER_DAYS`: a number of days, 0 or more. Default: 30.
 *
 * @throws RangeError where it is no such number
 */
export function archiveAfterMs(given: string | undefined): number {
  if (given === undefined || given === '') return DEFAULT_DAYS * DAY_MS;
  const days = Number(given);
  if (Number.isFinite(days) && days >= 0) return days * DAY_MS;
  throw new RangeError(
    `MILLRACE_ARCHIVE_AFTER_DAYS is ${given}: it must be a number of days, 0 or more; nothing goes to the archive`,
  );
}
