/** The sessions of one key as intervals in order: an event extends one, begins one, or joins several. */
import type { Emitted } from './window-plan.ts';

/** A session that was handed on: what it was then. */
export interface EmittedSession extends Emitted {
  readonly start: number;
  readonly end: number;
}

export interface Session {
  readonly key: number;
  /** The times of its first event and of its last. */
  start: number;
  last: number;
  row: number;
  /** What was handed on of it, and of those that it has joined, and was not taken back. */
  emitted: readonly EmittedSession[];
  /** The watermark has passed its end. */
  closed: boolean;
  /** What was handed on of it has changed since the last commit. */
  dirty: boolean;
  /** Where it is stored as a closed session, if it is. */
  stored: string | undefined;
  /** It has become a part of another, or was let go. */
  gone: boolean;
}

/**
 * The sessions that an event of that time belongs to, as a run [from, to) of the list: the event lies within them, or
 * less than a gap away. Those for which `isOver` holds are no sessions any more.
 */
export function sessionsAt(
  sessions: readonly Session[],
  time: number,
  gapMs: number,
  isOver?: (session: Session) => boolean,
): readonly [from: number, to: number] {
  let to = sessions.length;
  while (to > 0 && sessions[to - 1]!.start - time >= gapMs) to--;
  let from = to;
  while (from > 0) {
    const before = sessions[from - 1]!;
    if (time - before.last >= gapMs || isOver?.(before) === true) break;
    from--;
  }
  return [from, to];
}
