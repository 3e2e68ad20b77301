/** Reads a log on past whatever is damaged at rest. */
import { hasCode } from '../errors.ts';
import type { Page, Position, Query, Storage } from './storage.ts';

/** All up to `next` is in `events`, or damaged, or trimmed, or was not asked for. */
export interface PageOn extends Page {
  /** How many damaged events were passed over. */
  readonly damaged: number;
}

/** The most damaged events that one read passes over. */
const MOST_DAMAGED = 1000;

/** A read ends before a damaged event, and fails where it starts with one: then it starts behind it. */
export async function readPastDamage(
  storage: Storage,
  query: Query & { readonly after: Position },
): Promise<PageOn> {
  let { after } = query;
  for (let damaged = 0; damaged < MOST_DAMAGED; damaged++) {
    try {
      return { ...(await storage.read({ ...query, after })), damaged };
    } catch (error) {
      if (!hasCode(error, 'storage.corrupt') || error.details.position <= after) throw error;
      after = error.details.position;
    }
  }
  return { events: [], next: after, more: true, head: after, damaged: MOST_DAMAGED };
}
