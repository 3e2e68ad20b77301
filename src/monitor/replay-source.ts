/** Where a replay reads: a storage, an event store, or an edge by its client. */
import { invalidOption } from '../bus/event-handler.ts';
import type { Event } from '../event/event.ts';
import { formatCursor, parseCursor } from '../storage/cursor.ts';
import { EventStore } from '../storage/event-store/event-store.ts';
import { positionOf, readReadable } from '../storage/event-store/unreadable.ts';
import type { Query, Storage } from '../storage/storage.ts';
import type { StoredEvent } from '../storage/stored-event.ts';

/** As `EventClient` reads. */
export interface ReplayClient {
  getEvent(id: string): Promise<Event | undefined>;
  read(options: {
    readonly limit?: number;
    readonly after?: string;
    readonly signal?: AbortSignal;
  }): Promise<{
    readonly events: readonly Event[];
    readonly next?: string | undefined;
    readonly more: boolean;
  }>;
}

export type ReplaySource = Storage | EventStore | ReplayClient;

/** All that is given must hold; nothing given selects every event. */
export interface ReplayQuery extends Pick<Query, 'types' | 'subject' | 'correlationId' | 'from' | 'to'> {
  readonly source: ReplaySource;
}

export interface ReplayPage {
  readonly events: readonly { readonly event: Event; readonly cursor: string | undefined }[];
  /** Passed over. */
  readonly unreadable: number;
  /** Up to where the log is read. */
  readonly next: string | undefined;
}

interface Bounds {
  readonly after?: string | undefined;
  readonly until?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const PAGE = 500;

/** @throws MillraceError `query.invalid`, `cursor.invalid`; as the source does */
export function replayPages(query: ReplayQuery, bounds: Bounds): AsyncGenerator<ReplayPage> {
  const { source, ...selection } = query;
  if (typeof source !== 'object' || source === null || !('read' in source))
    throw invalidOption('source', source, 'must be a Storage, an EventStore or an EventClient');
  if ('getEvent' in source) return ofClient(source, selection, bounds);
  const store = 'storage' in source ? source : new EventStore(source);
  return ofLog(store, selection, bounds);
}

async function* ofLog(
  store: EventStore,
  selection: Omit<ReplayQuery, 'source'>,
  { after, until, signal }: Bounds,
): AsyncGenerator<ReplayPage> {
  const { head } = await store.storage.stats();
  const last = until === undefined ? head : Math.min(head, parseCursor(until));
  for (let position = after === undefined ? 0 : parseCursor(after); position < last;) {
    if (signal?.aborted === true) return;
    const query = { ...selection, after: position, before: last + 1, limit: PAGE };
    const { page, failure } = await readReadable(store, query);
    const events = page.events.flatMap(readOne);
    const unreadable = page.events.length - events.length + (failure === undefined ? 0 : 1);
    const end = page.more ? page.next : last;
    position = failure === undefined ? end : positionOf(failure)!;
    yield { events, unreadable, next: formatCursor(position) };
  }
}

function readOne(stored: StoredEvent): ReplayPage['events'] {
  try {
    return [{ event: stored.event, cursor: formatCursor(stored.position) }];
  } catch {
    return [];
  }
}

async function* ofClient(
  client: ReplayClient,
  { types, subject, correlationId, from = -Infinity, to = Infinity }: Omit<ReplayQuery, 'source'>,
  { after, until, signal }: Bounds,
): AsyncGenerator<ReplayPage> {
  if (until !== undefined)
    throw invalidOption(
      'until',
      until,
      'is for logs: an edge may have several, with no order between them',
    );
  const wanted = (event: Event): boolean =>
    (types === undefined || types.includes(event.type)) &&
    (subject === undefined || event.subject === subject) &&
    (correlationId === undefined || event.correlationId === correlationId) &&
    event.timestamp >= from &&
    event.timestamp < to;
  for (let cursor = after; ;) {
    const { events, next, more } = await client.read({
      limit: PAGE,
      ...(cursor !== undefined && { after: cursor }),
      ...(signal !== undefined && { signal }),
    });
    const handed = events.filter(wanted).map((event) => ({ event, cursor: undefined }));
    yield { events: handed, unreadable: 0, next: next ?? cursor };
    if (!more || next === undefined || next === cursor) return;
    cursor = next;
  }
}
