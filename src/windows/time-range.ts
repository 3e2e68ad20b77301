/** The times that an event may have, in ms since the Unix epoch: the years 0 to 9999. */
export const EARLIEST = -62_167_219_200_000;
export const LATEST = 253_402_300_799_999;
/** Later than the end of any window of such a time. */
export const END_OF_TIME = 300_000_000_000_000;

export function isTime(time: unknown): time is number {
  return typeof time === 'number' && time >= EARLIEST && time <= LATEST;
}
