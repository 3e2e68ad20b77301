/**
 * Pages that are bounded by what they weigh as well as by how many events they hold: a thousand of the largest events
 * would fill an object's memory.
 */
import type { Page, Query, Storage } from '../../src/storage/storage.ts';
import type { StoredEvent } from '../../src/storage/stored-event.ts';

/** The most characters of lines in a page. One event is always given, however long it is. */
const PAGE_CHARACTERS = 4_194_304;
/** What is read before it is known how long the events are. */
const FIRST_STEP = 100;

export async function readBounded(
  storage: Storage,
  query: Query,
  maximum = PAGE_CHARACTERS,
): Promise<Page> {
  const wanted = query.limit ?? FIRST_STEP;
  const bound = query.direction === 'backward' ? 'before' : 'after';
  const events: StoredEvent[] = [];
  let characters = 0;
  let from = query[bound];
  for (;;) {
    const limit = Math.min(wanted - events.length, stepSize(events.length, characters, maximum));
    const page = await storage.read({ ...query, [bound]: from, limit });
    for (const event of page.events) {
      const last = events.at(-1);
      characters += event.line.length;
      if (last !== undefined && characters > maximum) {
        return { events, next: last.position, more: true, head: page.head };
      }
      events.push(event);
    }
    if (!page.more || events.length >= wanted) return { ...page, events };
    from = page.next;
  }
}

/** As many as are likely to fit, judged by those that came before. */
function stepSize(count: number, characters: number, maximum: number): number {
  if (count === 0) return FIRST_STEP;
  return Math.max(1, Math.floor(((maximum - characters) / characters) * count));
}
