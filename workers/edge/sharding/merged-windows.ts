/** The windows of several shards as those of one log: counts add up, and so do the revisions that changed them. */
import type { Count } from '../../../src/windows/count.ts';
import type { WindowPage, WindowPageOptions, WindowResult } from '../../../src/windows/windowed-view.ts';

type Place = NonNullable<WindowPageOptions['after']>;

/** Of pages that were read from the same place. */
export function mergeWindows(pages: readonly WindowPage<Count>[], limit: number): WindowPage<Count> {
  // Beyond a page's end nothing is known of its shard.
  const ends = pages.flatMap(({ next }) => (next === undefined ? [] : [next])).toSorted(compare);
  const [bound] = ends;
  const merged = new Map<string, WindowResult<Count>>();
  for (const { results } of pages) {
    for (const result of results) {
      if (bound !== undefined && compare(placeOf(result), bound) > 0) continue;
      const name = JSON.stringify([result.window.start, result.key]);
      const other = merged.get(name);
      merged.set(name, other === undefined ? result : add(other, result));
    }
  }
  const sorted = [...merged.values()].toSorted((a, b) => compare(placeOf(a), placeOf(b)));
  const results = sorted.slice(0, limit);
  const next = results.length < sorted.length ? placeOf(results.at(-1)!) : bound;
  return next === undefined ? { results } : { results, next };
}

function add(a: WindowResult<Count>, b: WindowResult<Count>): WindowResult<Count> {
  const value = { count: a.value.count + b.value.count };
  return { ...a, value, revision: a.revision + b.revision };
}

function placeOf({ window, key }: WindowResult<Count>): Place {
  return { start: window.start, key };
}

/** By start, then by key in code-unit order, as a shard has them. */
function compare(a: Place, b: Place): number {
  return a.start - b.start || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}
