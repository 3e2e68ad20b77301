/** What a refused push says about its events. */
import type { MillraceError, WireError } from '../errors.ts';
import { pushDeadLetter, type DeadLetter } from './dead-letter.ts';
import type { Outgoing } from './outgoing.ts';

/**
 * Statuses that speak of the caller, the route or the edge: no event is to blame, and none may be given up for them.
 */
const NOT_ABOUT_EVENTS = new Set([401, 402, 403, 404, 405, 406, 407, 410, 421, 426, 428, 451]);
/** Codes that speak of the request, or of the edge. */
const NOT_ABOUT_EVENTS_CODE = /^(request|query|cursor|producer|storage|edge)\./;
const TOO_LARGE = 413;

export function problemCode(error: MillraceError<'sync.refused'>): string | undefined {
  return error.details.code;
}

/** Whether an event, or the size of all together, may be to blame. */
export function isAboutEvents(error: MillraceError<'sync.refused'>): boolean {
  const { rejected, status } = error.details;
  return rejected !== undefined || status === TOO_LARGE || isEdgesWord(error);
}

/** A gateway on the way refuses what it likes: only the edge's own word costs an event. */
function isEdgesWord(error: MillraceError<'sync.refused'>): boolean {
  const code = problemCode(error);
  return (
    code !== undefined &&
    !NOT_ABOUT_EVENTS_CODE.test(code) &&
    !NOT_ABOUT_EVENTS.has(error.details.status)
  );
}

/**
 * The dead letters that a refusal makes: the events that it names, or the one that was alone where the edge itself
 * refused it. None where nothing may be given up; `undefined` where any of several may be to blame.
 */
export function lettersOf(
  error: MillraceError<'sync.refused'>,
  outgoing: Outgoing,
  at: number,
): readonly DeadLetter[] | undefined {
  const { lines } = outgoing.push;
  const reasons = new Map<number, string>();
  for (const { index, reason } of error.details.rejected ?? []) {
    if (Number.isInteger(index) && index >= 0 && index < lines.length) reasons.set(index, reason);
  }
  if (reasons.size === 0 && lines.length > 1) return undefined;
  if (reasons.size === 0 && lines.length === 1 && isEdgesWord(error))
    reasons.set(0, error.details.reason);
  return [...reasons].map(([index, reason]) =>
    pushDeadLetter(outgoing.positions[index]!, lines[index]!, refusalOf(error, reason), at),
  );
}

/** What the edge has said of one event. */
export function refusalOf(error: MillraceError<'sync.refused'>, reason: string): WireError {
  const { endpoint, status } = error.details;
  return {
    name: 'MillraceError',
    code: error.code,
    message: reason,
    details: { endpoint, status, reason },
  };
}
