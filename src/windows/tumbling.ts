/**
 * Tumbling windows of event time: of one size, side by side, so that every event belongs to exactly one.
 * (Akidau et al., The Dataflow Model, 2015, section 2.1: fixed windows.)
 */
import { MillraceError } from '../errors.ts';

/** Half open, in ms since the Unix epoch: an event at `end` belongs to the next window. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

export interface TumblingWindows {
  readonly sizeMs: number;
  /** Where the windows begin, from the Unix epoch on. Less than the size. Default: 0. */
  readonly offsetMs?: number | undefined;
}

/** Some 300 years: every window's start then fits into a sortable key. */
export const MAX_SIZE_MS = 10_000_000_000_000;

/** The start of the window that the time belongs to, before the epoch too. */
export function windowStart(timestamp: number, { sizeMs, offsetMs = 0 }: TumblingWindows): number {
  return Math.floor((timestamp - offsetMs) / sizeMs) * sizeMs + offsetMs;
}

/** @throws MillraceError `query.invalid` for a size or an offset that gives no windows. */
export function checkTumbling({ sizeMs, offsetMs = 0 }: TumblingWindows): void {
  if (!Number.isInteger(sizeMs) || sizeMs < 1 || sizeMs > MAX_SIZE_MS) {
    throw invalidWindows('/sizeMs', sizeMs, `must be a whole number of ms from 1 to ${MAX_SIZE_MS}`);
  }
  if (!Number.isInteger(offsetMs) || Math.abs(offsetMs) >= sizeMs) {
    throw invalidWindows('/offsetMs', offsetMs, 'must be a whole number of ms, less than the size');
  }
}

function invalidWindows(path: string, value: unknown, reason: string): MillraceError<'query.invalid'> {
  return new MillraceError(
    'query.invalid',
    `windows: ${path.slice(1)} ${reason}: got ${String(value)}`,
    {
      path,
      value,
      reason,
    },
  );
}
