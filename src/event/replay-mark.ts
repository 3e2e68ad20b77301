/**
 * Marks events that come again. The mark is no part of the event: it is kept beside the one object that is handed on, so
 * that nothing of the event changes, and whoever stores or sends it sends what it was.
 */
import { carriedLine, makeEvent, restoreEvent, type Event } from './event.ts';

export interface ReplayMark {
  /** The replay's name. */
  readonly replay: string;
  /** In ms since the Unix epoch. */
  readonly startedAt: number;
}

const marks = new WeakMap<Event, ReplayMark>();

/** The same event as an object of its own, which is marked: who holds the other sees nothing of it. */
export function markedAsReplay(event: Event, mark: ReplayMark): Event {
  const line = carriedLine(event);
  const copy = line === undefined ? makeEvent(event) : restoreEvent(event, line);
  marks.set(copy, mark);
  return copy;
}

/**
 * The replay that the event comes by, for a handler that does not do everything twice; `undefined` for one that comes the
 * first time. An event that a middleware or a stream's step has put in its place is not marked.
 */
export function replayOf(event: Event): ReplayMark | undefined {
  return marks.get(event);
}
