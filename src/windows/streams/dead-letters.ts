/** Dead letters of a stream: events and results that a step could not take, kept with the reason. The stream goes on. */
import type { Event } from '../../event/event.ts';
import { deadLetter, type DeadLetter } from '../../storage/dead-letters/dead-letter.ts';
import type { Position } from '../../storage/position.ts';
import type { JsonValue } from '../../storage/storage.ts';
import { invalidWindow } from '../windows.ts';
import type { WindowUpdate } from '../window-update.ts';

/** Where an event came from, as its dead letter names it. */
export interface Origin {
  readonly event?: Event | undefined;
  readonly position?: Position | undefined;
  readonly line?: string | undefined;
  /** Of a joined stream: which of its sides it came by. */
  readonly branch?: number | undefined;
}

/** A result, or what it was to be, without its value. */
export type DeadResult = Pick<WindowUpdate, 'name' | 'window' | 'key' | 'revision' | 'complete'>;

/** What a letter is driven again by. */
export type Again =
  | { readonly kind: 'event'; readonly branch?: number; readonly family?: string }
  | { readonly kind: 'result' | 'total'; readonly state: JsonValue }
  | { readonly kind: 'item'; readonly output: string; readonly item: JsonValue };

/** A dead letter before it is kept. */
export interface Failure {
  readonly id: string;
  /** `source`, `filter`, `map`, `key`, `window`, `result`, `total`, or `output` and its name; of a join, behind its side. */
  readonly step: string;
  readonly error: unknown;
  readonly attempts?: number;
  readonly origin?: Origin;
  readonly result?: WindowUpdate;
  readonly again?: Again;
}

export function eventAgain(branch: number | undefined, family: string | undefined): Again {
  return {
    kind: 'event',
    ...(branch !== undefined && { branch }),
    ...(family !== undefined && { family }),
  };
}

export function streamLetter(stream: string, failure: Failure, at: number): DeadLetter {
  const { id, step: detail, error, attempts = 1, origin = {}, result, again } = failure;
  const { event, position, line } = origin;
  return deadLetter({
    id,
    where: { part: 'stream', name: stream, detail },
    error,
    at,
    attempts,
    ...(position !== undefined && { position }),
    ...(event !== undefined && { event }),
    ...(line !== undefined && { line }),
    ...(result !== undefined && { result: placeOf(result) as unknown as JsonValue }),
    ...(again !== undefined && { again: again as unknown as JsonValue }),
  });
}

/** @throws MillraceError `query.invalid` for a letter of something that cannot be done again */
export function againOf({ id, again }: DeadLetter): Again {
  if (again !== undefined) return again as unknown as Again;
  throw invalidWindow(
    'id',
    id,
    'must be of something that can be done again: this total has to be recounted',
  );
}

function placeOf({ name, window, key, revision, complete }: WindowUpdate): DeadResult {
  return { name, window: { ...window }, key, revision, complete };
}
