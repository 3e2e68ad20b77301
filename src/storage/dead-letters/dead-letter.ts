/**
 * A dead letter: an event, or what was made of events, that somewhere was given up on. It has one shape wherever that
 * was, so that one list, one view and one command serve all hosts.
 */
import { isWireError, MillraceError, type ErrorCode, type WireError } from '../../errors.ts';
import { invalidEvent, type Event } from '../../event/event.ts';
import { decodeLine, encodeLine, toWire, type WireEvent } from '../../event/wire.ts';
import { formatTimestamp } from '../../event/timestamp.ts';
import { formatCursor } from '../cursor.ts';
import type { Position } from '../position.ts';
import type { JsonValue } from '../storage.ts';

export type DeadLetterPart = 'bus' | 'topic' | 'router' | 'stream' | 'push' | 'service' | 'subscription';

/** Where it failed. */
export interface DeadLetterPlace {
  readonly part: DeadLetterPart;
  /** The handler's or the middleware's, the rule's id, the stream's, the subscription's; of a push, `edge`. */
  readonly name: string;
  /** In there: `middleware`, the topic, the rule's target, the stream's step such as `map` or `output mail`. */
  readonly detail?: string;
}

export interface DeadLetter {
  /** Unique in its list, and the list's order. The same thing failing again in the same place has the same. */
  readonly id: string;
  readonly where: DeadLetterPlace;
  /** What the last attempt failed with. The code of what is no error of Millrace's own is `failed`. */
  readonly reason: WireError;
  /** How often it was tried, redriving included; 0 where it never came to that. */
  readonly attempts: number;
  /** When it was given up first, and last, in ms since the Unix epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Where the event stands, if in a log. */
  readonly position?: Position;
  /** Missing where it cannot be read, was not decoded (then there is the line), or is not the matter. */
  readonly event?: Event;
  /** The event in its wire form. Empty where it was damaged at rest, and nothing is left of it. */
  readonly line?: string;
  /** What could not be made or handed on, where that is no event. */
  readonly result?: JsonValue;
  /** What its host needs to drive it again; nobody else reads it. */
  readonly again?: JsonValue;
}

/** A dead letter as it comes to be. */
export type Failed = Omit<DeadLetter, 'firstAt' | 'lastAt' | 'reason'> & {
  readonly error: unknown;
  /** When it was given up, in ms since the Unix epoch. */
  readonly at: number;
};

export function deadLetter({ error, at, ...rest }: Failed): DeadLetter {
  return { ...rest, reason: reasonOf(error), firstAt: at, lastAt: at };
}

/** The letter of what has failed again, where there was one before. */
export function failedAgain(before: DeadLetter | undefined, now: DeadLetter): DeadLetter {
  if (before === undefined) return now;
  return { ...now, firstAt: before.firstAt, attempts: before.attempts + now.attempts };
}

/** Anything that was thrown, as the plain data of an error. */
export function reasonOf(error: unknown): WireError {
  if (isWireError(error)) {
    const { code, message, details } = error as WireError<ErrorCode>;
    return plain({ name: 'MillraceError', code, message, details });
  }
  const name = error instanceof Error ? error.name : typeof error;
  return new MillraceError('failed', words(error), { error: name }).toWire();
}

function words(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'string' ? error : Object.prototype.toString.call(error);
}

/** Details may hold a value that is no JSON: what was wrong with it is said in the message. */
function plain(wire: WireError): WireError {
  try {
    return JSON.parse(JSON.stringify(wire)) as WireError;
  } catch {
    return { ...wire, details: {} as WireError['details'] };
  }
}

/** A letter as JSON, at every host. */
export interface WireDeadLetter {
  readonly id: string;
  readonly part: DeadLetterPart;
  readonly name: string;
  readonly detail?: string;
  readonly reason: Omit<WireError, 'name'>;
  readonly attempts: number;
  /** ISO 8601. */
  readonly first_at: string;
  readonly last_at: string;
  readonly position?: string;
  readonly event?: WireEvent;
  /** In place of the event, where it cannot be read. */
  readonly line?: string;
  readonly result?: JsonValue;
}

export function deadLetterToWire(letter: DeadLetter): WireDeadLetter {
  const { id, where, reason, attempts, firstAt, lastAt, position, line, result } = letter;
  const { code, message, details } = reason;
  const event = eventOf(letter);
  return {
    id,
    ...where,
    reason: { code, message, details },
    attempts,
    first_at: formatTimestamp(firstAt),
    last_at: formatTimestamp(lastAt),
    ...(position !== undefined && { position: formatCursor(position) }),
    ...(event !== undefined && { event: toWire(event) }),
    ...(event === undefined && line !== undefined && { line }),
    ...(result !== undefined && { result }),
  };
}

/** The letter's event, decoded if need be; nothing where there is none that can be read. */
export function eventOf({ event, line }: Pick<DeadLetter, 'event' | 'line'>): Event | undefined {
  if (event !== undefined || line === undefined || line === '') return event;
  try {
    return decodeLine(line);
  } catch {
    return undefined;
  }
}

/** The letter's event, to be brought somewhere once more. @throws MillraceError `event.invalid` where there is none */
export function madeEventOf(letter: Pick<DeadLetter, 'event' | 'line'>): Event {
  const event = eventOf(letter);
  if (event !== undefined) return event;
  throw invalidEvent('/', letter.line, 'of the dead letter cannot be read: look at its line');
}

/** The letter as a storage keeps it: its event as a line. Of an event that is no JSON, the letter alone. */
export function keptLetter({ event, line, ...rest }: DeadLetter): JsonValue {
  const kept = line ?? (event && encodedOrNothing(event));
  return { ...rest, ...(kept !== undefined && { line: kept }) } as unknown as JsonValue;
}

export function letterOf(kept: JsonValue): DeadLetter {
  const letter = kept as unknown as DeadLetter;
  const event = eventOf(letter);
  return event === undefined ? letter : { ...letter, event };
}

function encodedOrNothing(event: Event): string | undefined {
  try {
    return encodeLine(event);
  } catch {
    return undefined;
  }
}
