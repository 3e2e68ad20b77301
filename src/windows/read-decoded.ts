/** A page of a log as events, past whatever is damaged at rest. */
import type { Event } from '../event/event.ts';
import { readPastDamage, type PageOn } from '../storage/past-damage.ts';
import type { Position } from '../storage/position.ts';
import type { Query, Storage } from '../storage/storage.ts';
import type { StoredEvent } from '../storage/stored-event.ts';

/** What one read has brought: all up to `next` is in `events`, or damaged, or trimmed, or was not asked for. */
export interface ReadOn extends Pick<PageOn, 'next' | 'damaged'> {
  readonly events: readonly Event[];
}

export async function readDecoded(
  storage: Storage,
  query: Query & { readonly after: Position },
): Promise<ReadOn> {
  const page = await readPastDamage(storage, query);
  const events = page.events.flatMap(decoded);
  return { events, next: page.next, damaged: page.damaged + page.events.length - events.length };
}

function decoded(stored: StoredEvent): readonly Event[] {
  try {
    return [stored.event];
  } catch {
    return [];
  }
}
