/**
 * The erasure of a subject's personal data as an event, so that what was folded elsewhere hears of it. It is no event of
 * the subject: it stands in no stream, and is checked by no catalogue.
 *
 * It is appended after the key was forgotten: who reads the log from its beginning after that finds none of the data.
 */
import { makeEvent, type Event } from '../../event/event.ts';
import type { IdSource } from '../../event/ids.ts';
import type { Position } from '../position.ts';
import type { MaybePromise, Page, Query } from '../storage.ts';
import { positionOf, readReadable } from './unreadable.ts';

export const SUBJECT_ERASED = 'subject.erased';

/** Who says so. */
const SOURCE = 'millrace';

export function makeErasure(subject: string, nextId: IdSource, now: number): Event {
  return makeEvent({
    ...{ id: nextId(), type: SUBJECT_ERASED, data: { subject } },
    ...{ timestamp: now, source: SOURCE, priority: 2 },
  });
}

/** Whose data was erased, where the event says that. */
export function erasedSubject({ type, data }: Event): string | undefined {
  if (type !== SUBJECT_ERASED) return undefined;
  return (data as { readonly subject?: string } | null)?.subject;
}

/** Where the log's last erasure stands, 0 where there is none. What is damaged and may have been one is taken for one. */
export async function lastErasure(store: { read(query: Query): MaybePromise<Page> }): Promise<Position> {
  for (let before: Position | undefined; ;) {
    const query = { types: [SUBJECT_ERASED], direction: 'backward', limit: 1, before } as const;
    const { page, failure } = await readReadable(store, query);
    const position = page.events[0]?.position ?? positionOf(failure);
    if (position !== undefined) return position;
    if (!page.more) return 0;
    before = page.next;
  }
}
