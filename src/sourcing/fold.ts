/** Folds a subject's events from the log into a state, a page at a time. */
import type { Event } from '../event/event.ts';
import { isErased } from '../storage/event-store/personal-data.ts';
import type { EventStore } from '../storage/event-store/event-store.ts';
import type { AggregateDefinition, Folded } from './aggregate.ts';
import type { Draft } from './decider.ts';

/** Where to end: before the first event that would pass a bound. */
export interface FoldBounds {
  readonly version?: number | undefined;
  /** Event time, inclusive, in ms. */
  readonly time?: number | undefined;
}

const PAGE_EVENTS = 2000;

export function nothingFolded<State>(
  definition: Pick<AggregateDefinition<State>, 'initialState'>,
  generation: number,
): Folded<State> {
  const state = definition.initialState();
  return { state, version: 0, position: 0, time: -Infinity, deleted: false, generation };
}

/**
 * The state of a subject, from where it was folded to before. An event whose data was erased counts, and changes nothing.
 *
 * @throws MillraceError as `EventStore.read` does; what `evolve` throws
 */
export async function foldSubject<State, Command, E extends Draft>(
  store: EventStore,
  definition: AggregateDefinition<State, Command, E>,
  subject: string,
  start: Folded<State>,
  bounds: FoldBounds = {},
): Promise<Folded<State>> {
  const { version: lastVersion = Infinity, time: lastTime = Infinity } = bounds;
  const { deletedBy = [] } = definition;
  const { generation } = start;
  let { state, version, position, time, deleted } = start;
  const folded = (): Folded<State> => ({ state, version, position, time, deleted, generation });
  for (let after = position; ;) {
    const page = await store.read({ subject, after, limit: PAGE_EVENTS });
    for (const stored of page.events) {
      const { event } = stored;
      if (version >= lastVersion || event.timestamp > lastTime) return folded();
      if (!isErased(event)) state = definition.evolve(state, event as Event & E);
      if (deletedBy.length > 0) deleted ||= deletedBy.includes(event.type);
      if (event.timestamp > time) time = event.timestamp;
      position = stored.position;
      version++;
    }
    if (!page.more) return folded();
    after = page.next;
  }
}
