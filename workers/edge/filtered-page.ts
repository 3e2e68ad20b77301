/** Pages of what a filter leaves: a page looks at a bounded part of the log, and may hold nothing and have more. */
import type { EventPredicate } from '../../src/routing/condition.ts';
import type { Page, Query, Storage } from '../../src/storage/storage.ts';
import type { StoredEvent } from '../../src/storage/stored-event.ts';
import { readBounded } from './bounded-page.ts';

/** The most events that one page looks at. */
export const MAX_SCANNED = 10_000;
const STEP = 500;

/** As `readBounded`, of the events that match. */
export async function readFiltered(
  storage: Storage,
  query: Query,
  matches: EventPredicate,
): Promise<Page> {
  const wanted = query.limit ?? STEP;
  const bound = query.direction === 'backward' ? 'before' : 'after';
  const events: StoredEvent[] = [];
  let scanned = 0;
  let from = query[bound];
  for (;;) {
    const page = await readBounded(storage, { ...query, [bound]: from, limit: STEP });
    scanned += page.events.length;
    for (const stored of page.events) {
      if (!matches(stored.event)) continue;
      events.push(stored);
      if (events.length === wanted) return { ...page, events, next: stored.position, more: true };
    }
    if (!page.more || scanned >= MAX_SCANNED) return { ...page, events };
    from = page.next;
  }
}
