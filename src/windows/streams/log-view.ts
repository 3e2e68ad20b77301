/**
 * A store's log as a stream sees it: its events in today's form, after the stream's steps. It is a storage in every other
 * respect, and commits go through the store, for what is appended is checked, sealed and folded there.
 */
import { hasCode, isWireError, MillraceError } from '../../errors.ts';
import type { Event } from '../../event/event.ts';
import { decodeLine } from '../../event/wire.ts';
import type { EventStore } from '../../storage/event-store/event-store.ts';
import { positionOf, readReadable } from '../../storage/event-store/unreadable.ts';
import { formatCursor } from '../../storage/cursor.ts';
import { methodsOf } from '../../storage/methods-of.ts';
import type { Position } from '../../storage/position.ts';
import type { Commit, CommitResult, Page, Query, Storage } from '../../storage/storage.ts';
import { StoredEvent } from '../../storage/stored-event.ts';
import { eventAgain, type Failure, type Origin } from './dead-letters.ts';
import type { Flow } from './flow.ts';

export interface LogView {
  readonly storage: Storage;
  /** What failed in the page that was read last, once. */
  takeFailures(): readonly Failure[];
  /** An event that failed, read and passed through the steps again. */
  again(origin: Origin & { readonly position: Position }): Promise<{
    readonly events: readonly Event[];
    readonly failures: readonly Failure[];
  }>;
}

/** `isOwn` tells events that the stream itself has appended: it does not read them. */
export function viewLog(store: EventStore, flow: Flow, isOwn: (event: Event) => boolean): LogView {
  const { storage } = store;
  let failures: Failure[] = [];
  const fail = (step: string, error: unknown, origin: Origin): void => {
    failures.push(eventFailure(origin, step, error));
  };

  function passed(stored: StoredEvent): readonly StoredEvent[] {
    const { position, line } = stored;
    let event: Event;
    try {
      event = stored.event;
    } catch (error) {
      fail('source', error, { position, line });
      return [];
    }
    if (isOwn(event)) return [];
    const origin = { event, position, line };
    const out: Event[] = [];
    flow.take(event, origin, out, ({ step, error, origin }) => fail(step, error, origin));
    return out.map((one) => new StoredEvent(position, line, one));
  }

  async function read(query: Query): Promise<Page> {
    failures = [];
    const { page, failure } = await readReadable(store, query);
    const events = page.events.flatMap(passed);
    if (failure === undefined) return { ...page, events };
    // What cannot be read stands right behind the page's events, and is passed over.
    const position = positionOf(failure)!;
    fail('source', failure, { position });
    return { ...page, events, next: position, more: true };
  }

  async function again({ position, ...origin }: Parameters<LogView['again']>[0]) {
    const failed: Failure[] = [];
    const events: Event[] = [];
    const { page, failure } = await readReadable(store, { after: position - 1, limit: 1 });
    const stored = page.events[0]?.position === position ? page.events[0] : undefined;
    try {
      if (failure !== undefined && positionOf(failure) === position) throw failure;
      // Trimmed since, perhaps: its letter has it still.
      const event = stored?.event ?? decodeLine(origin.line ?? '');
      const line = stored?.line ?? origin.line;
      flow.take(event, { ...origin, event, position, line }, events, ({ step, error, origin }) =>
        failed.push(eventFailure(origin, step, error)),
      );
    } catch (error) {
      failed.push(eventFailure({ ...origin, position }, 'source', error));
    }
    return { events, failures: failed };
  }

  return {
    again,
    takeFailures: () => failures.splice(0),
    storage: {
      ...methodsOf(storage),
      read,
      commit: async (batch) => Promise.all(batch.map((commit) => committed(store, commit))),
    },
  };
}

/** A refusal for another of the name that came first is a result, as a storage gives it. */
async function committed(store: EventStore, { events, ...options }: Commit): Promise<CommitResult> {
  try {
    const appended = await store.append(events, options);
    return appended.repeated ? overtaken(options) : { ok: true, ...appended };
  } catch (error) {
    // The ids of a result's events are its sequence's: another of the name has handed on those numbers.
    if (hasCode(error, 'event.conflict')) return overtaken(options);
    if (isWireError(error) && error.code.startsWith('producer.'))
      return { ok: false, error: error as MillraceError };
    throw error;
  }
}

/** All of the events are there, and nothing else of the commit was taken. */
function overtaken({ advance }: Omit<Commit, 'events'>): CommitResult {
  const { id: producer = '', seq: received = 0 } = advance?.[0] ?? {};
  const details = { producer, expected: received + 1, received };
  return { ok: false, error: new MillraceError('producer.gap', `${producer} was overtaken`, details) };
}

/** An event's dead letter is the same, however often it fails there. */
export function eventFailure(origin: Origin, step: string, error: unknown, family?: string): Failure {
  const { branch } = origin;
  const id = `event/${formatCursor(origin.position!)}-${step}${family === undefined ? '' : ` ${family}`}`;
  return { id, step, error, origin, again: eventAgain(branch, family) };
}
