/** Visits: what a visitor did in one session, for session windows by visitor. */
import type { Event } from '../../event/event.ts';
import type { JsonValue } from '../../storage/storage.ts';
import type { Aggregation } from '../aggregation.ts';
import { aggregate, mapResult } from '../aggregations/aggregate.ts';
import { count } from '../aggregations/count.ts';
import { max, min } from '../aggregations/extremes.ts';
import { fieldReader, type Field } from '../aggregations/field.ts';
import { first, last } from '../aggregations/first-last.ts';
import type { States } from '../aggregations/list.ts';

export interface VisitOptions {
  /** The page that an event shows, as a path into its data or a function. Default: `path`. */
  readonly page?: Field | undefined;
  /** Only these types show pages; all others count as events alone. Default: `page.viewed`. */
  readonly types?: readonly string[] | undefined;
}

export interface Visit {
  /** The first page and the last one; null where none was shown. */
  readonly entry: JsonValue;
  readonly exit: JsonValue;
  /** From the first event to the last one, in ms: not to the session's end, a gap later. */
  readonly durationMs: number;
  readonly pages: number;
  readonly events: number;
  /** One page, or none. */
  readonly bounce: boolean;
}

/**
 * @example
 * stream(fromStore(store)).keyBy('correlationId').window(session(30 * 60_000)).aggregate(visits());
 *
 * @throws MillraceError `query.invalid` for what is no field.
 */
export function visits({ page = 'path', types = ['page.viewed'] }: VisitOptions = {}): Aggregation<
  States,
  Visit
> {
  const read = fieldReader(page);
  const shown = new Set(types);
  const pageOf = (event: Event): unknown => (shown.has(event.type) ? read(event) : undefined);
  const timeOf = ({ timestamp }: Event): number => timestamp;
  const parts = aggregate({
    entry: first(pageOf),
    exit: last(pageOf),
    pages: count(pageOf),
    events: count(),
    from: min(timeOf),
    to: max(timeOf),
  });
  return mapResult(parts, ({ entry, exit, pages, events, from, to }) => {
    const durationMs = (to ?? 0) - (from ?? 0);
    return { entry, exit, durationMs, pages, events, bounce: pages < 2 };
  });
}
