/** What a subscription would have been given: counted over the logs as they are, with the first events as samples. */
import { decodeLine } from '../../../src/event/wire.ts';
import type { Position } from '../../../src/storage/position.ts';
import { compileSelection, type Selection } from './selection.ts';
import type { Source } from './source.ts';

export interface DryRun {
  readonly matched: number;
  /** Events that were looked at. */
  readonly scanned: number;
  /** Whether all was looked at: not where there is more than `dryRunLimits` allow. */
  readonly complete: boolean;
  /** Lines of the first that match. */
  readonly samples: readonly string[];
}

export const dryRunLimits = {
  scanned: 50_000,
  samples: 10,
  page: 1_000,
  /** Pages may hold nothing and have more: a type that is rare in a large log. */
  pages: 200,
} as const;

/** Of each source, from after that position on. */
export async function dryRun(
  selection: Selection,
  sources: readonly Source[],
  starts: Readonly<Record<string, Position>>,
): Promise<DryRun> {
  const { types, matches } = compileSelection(selection);
  const samples: string[] = [];
  let matched = 0;
  let scanned = 0;
  let pages = 0;
  for (const source of sources) {
    let after = starts[source.name] ?? 0;
    for (let more = true; more;) {
      if (scanned >= dryRunLimits.scanned || pages++ >= dryRunLimits.pages)
        return { matched, scanned, complete: false, samples };
      const page = await source.page({ types, after, limit: dryRunLimits.page });
      for (const line of page.lines) {
        if (!matches(decodeLine(line))) continue;
        matched++;
        if (samples.length < dryRunLimits.samples) samples.push(line);
      }
      scanned += page.lines.length;
      ({ more } = page);
      after = page.next;
    }
  }
  return { matched, scanned, complete: true, samples };
}
