/**
 * One page of several shards' pages. Each shard's own order is kept, and between them events go by their time; what is
 * not taken is read again, so that pages resume exactly whatever their sizes.
 */
import type { Position } from '../../../src/storage/position.ts';
import type { LinePage } from '../shard-calls.ts';

/** A page with what merging needs of each line. */
export interface PlacedPage extends LinePage {
  readonly positions: readonly Position[];
  /** Event times, in ms. */
  readonly times: readonly number[];
}

export interface MergedPage {
  readonly lines: readonly string[];
  /** After each line, where its reader goes on: the shard that it is of, and its position there. */
  readonly places: readonly (readonly [shard: number, position: Position])[];
  /** Of each shard: where to go on. */
  readonly next: readonly (Position | undefined)[];
  readonly more: boolean;
}

export interface MergeOptions {
  readonly limit: number;
  readonly direction: 'forward' | 'backward';
  /** Where each shard was read from; `undefined` backwards where it was read from its end. */
  readonly from: readonly (Position | undefined)[];
}

export function mergePages(
  pages: readonly (PlacedPage | undefined)[],
  { limit, direction, from }: MergeOptions,
): MergedPage {
  const taken = pages.map(() => 0);
  const lines: string[] = [];
  const places: (readonly [number, Position])[] = [];
  const sign = direction === 'forward' ? 1 : -1;
  while (lines.length < limit) {
    let best: number | undefined;
    let ended = false;
    for (const [shard, page] of pages.entries()) {
      if (page === undefined) continue;
      const at = taken[shard]!;
      // What it has next is not known before it is read again.
      if (at === page.lines.length) ended ||= page.more;
      else if (best === undefined || sign * (page.times[at]! - pages[best]!.times[taken[best]!]!) < 0)
        best = shard;
    }
    if (ended || best === undefined) break;
    const page = pages[best]!;
    const at = taken[best]!++;
    lines.push(page.lines[at]!);
    places.push([best, page.positions[at]!]);
  }
  const next = pages.map((page, shard) => {
    if (page === undefined) return from[shard];
    const at = taken[shard]!;
    if (at === page.lines.length) return page.next;
    return at === 0 ? from[shard] : page.positions[at - 1]!;
  });
  const more = pages.some((page, shard) => page && (page.more || taken[shard]! < page.lines.length));
  return { lines, places, next, more };
}
