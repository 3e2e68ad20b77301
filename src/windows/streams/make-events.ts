/** What outputs make of results, complete and checked: what is refused here would stop the whole commit later. */
import { makeEvent, type Event } from '../../event/event.ts';
import { DEFAULT_PRIORITY } from '../../event/priority.ts';
import { encodeLine } from '../../event/wire.ts';
import { checkCommits } from '../../storage/check-input.ts';
import type { StoredValue } from '../../storage/storage.ts';
import type { CompleteEvent, Made } from './outputs.ts';

export interface Completion {
  /** The stream's name. */
  readonly stream: string;
  /** What all of the item's events' ids begin with. */
  readonly id: string;
  /** When the item was handed on, in ms. */
  readonly at: number;
}

/** What the ids of all events begin with that the stream makes. */
export function ownIds(stream: string): string {
  return `stream/${stream}/`;
}

/** @throws MillraceError `event.invalid` from what it returns, where the draft makes no event */
export function completer({ stream, id, at }: Completion): CompleteEvent {
  return (draft, index) => {
    const event = makeEvent({
      id: `${id}/${index}`,
      type: draft.type,
      data: draft.data,
      timestamp: draft.timestamp ?? at,
      source: draft.source ?? `stream/${stream}`,
      priority: draft.priority ?? DEFAULT_PRIORITY,
      correlationId: draft.correlationId,
      causationId: draft.causationId,
      subject: draft.subject,
      traceparent: draft.traceparent,
    });
    encodeLine(event);
    return event;
  };
}

/** What goes into a commit. */
export interface Completed {
  readonly events: readonly Event[];
  readonly put: readonly (readonly [key: string, value: StoredValue | undefined])[];
}

/** @throws MillraceError `event.invalid`, `query.invalid` */
export function completed({ events = [], put = [] }: Made, complete: CompleteEvent): Completed {
  checkCommits([{ events: [], put }]);
  return { events: events.map(complete), put };
}
