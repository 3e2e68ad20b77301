/** Window results as the columns of a stacked bar chart, and in words. */
import type { AlignedData } from 'uplot';
import { swatches, swatchIndex } from './event-palette.ts';
import { formatTime, MINUTE_MS, type TimeRange } from './minute.ts';
import type { CountWindow } from './window-board.ts';

export interface Stack {
  /** The start of each minute in the range, in seconds, as uPlot counts time. */
  readonly minutes: readonly number[];
  /** The minutes, then per swatch, from the last to the first, the sum of it and all below it. */
  readonly data: AlignedData;
  /** Events of each minute, all types. */
  readonly totals: readonly number[];
}

export function stackWindows(results: readonly CountWindow[], range: TimeRange): Stack {
  const length = Math.round((range.to - range.from) / MINUTE_MS);
  const minutes = Array.from({ length }, (_, index) => (range.from + index * MINUTE_MS) / 1000);
  const sums = swatches.map(() => minutes.map(() => 0));
  for (const { window, key, value } of results) {
    const minute = Math.floor((window.start - range.from) / MINUTE_MS);
    if (minute < 0 || minute >= length) continue;
    for (let above = swatchIndex(key); above < sums.length; above++)
      sums[above]![minute]! += value.count;
  }
  return { minutes, data: [minutes, ...sums.toReversed()], totals: sums.at(-1) ?? [] };
}

/** `48 events in 30 min`, or of one minute `14:03, 12 events: 8 product viewed, 4 product added`. */
export function readWindows(results: readonly CountWindow[], range: TimeRange, minute?: number): string {
  if (minute === undefined) {
    const { totals } = stackWindows(results, range);
    return `${count(totals.reduce((sum, total) => sum + total, 0))} in ${totals.length} min`;
  }
  const counts = countByLabel(results.filter((result) => result.window.start === minute));
  const total = [...counts.values()].reduce((sum, of) => sum + of, 0);
  const parts = [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([label, of]) => `${of} ${label}`)
    .join(', ');
  return `${formatTime(minute)}, ${count(total)}${parts === '' ? '' : `: ${parts}`}`;
}

export function countByLabel(results: readonly CountWindow[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { key, value } of results) {
    const { label } = swatches[swatchIndex(key)]!;
    counts.set(label, (counts.get(label) ?? 0) + value.count);
  }
  return counts;
}

function count(events: number): string {
  return `${events.toLocaleString('en')} ${events === 1 ? 'event' : 'events'}`;
}
