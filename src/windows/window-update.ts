/** What windows hand on: results, late events, dead letters. */
import type { Event } from '../event/event.ts';
import type { Window } from './tumbling.ts';

/**
 * A window's result for a key, in its latest revision. Whoever keeps the greatest revision of each (name, window, key),
 * and takes away what is `removed`, has what a recount of all events would give.
 */
export type WindowUpdate<Value = unknown> = WindowRevised<Value> | WindowRemoved<Value>;

interface WindowPlace {
  /** The definition's name. */
  readonly name: string;
  /**
   * Half open, in ms since the Unix epoch. Of a count window: of how many events of the key. A global window has the
   * widest that there is.
   */
  readonly window: Window;
  readonly key: string;
  /** How many events have changed this result. Depends on no batching, no order, no restart. */
  readonly revision: number;
  /** The watermark has passed the window's end: only a late event revises it. */
  readonly complete: boolean;
}

export interface WindowRevised<Value = unknown> extends WindowPlace {
  readonly value: Value;
  readonly removed?: undefined;
  /** With `results: 'deltas'`: the value that was handed on before, and that this one takes the place of. */
  readonly retract?: Value;
}

/** A session that was handed on has grown, or merged into another: it is no window any more. */
export interface WindowRemoved<Value = unknown> extends WindowPlace {
  readonly value?: undefined;
  readonly removed: true;
  readonly retract?: Value;
}

/** An event that came later than a window allows. It is not counted there. */
export interface LateEvent {
  readonly event: Event;
  /** The window's definition that has refused it. */
  readonly name: string;
  /** The watermark when it came. */
  readonly watermark: number;
}

/**
 * An event that could not be counted. Where it cannot be read (its time, its key, a number), it is in no window of the
 * stream; where an aggregation of one's own throws, it is not in that one. The stream goes on.
 */
export interface WindowDeadLetter {
  readonly event: Event;
  /** The code of the error, where it has one. */
  readonly code?: string;
  readonly reason: string;
  readonly error: unknown;
  /** The windows that have refused it, by the name of the state that they share. None: it is in no window. */
  readonly family?: string;
}

/** What one step of a stream of windows has brought. */
export interface Processed {
  /** By window and then in any order, the oldest window first. */
  readonly updates: readonly WindowUpdate[];
  readonly late: readonly LateEvent[];
  readonly deadLetters: readonly WindowDeadLetter[];
}

/** Kept with the state, so that they go on after a restart. */
export interface WindowCounts {
  /** Events that were counted. */
  readonly events: number;
  readonly late: number;
  readonly deadLetters: number;
}
