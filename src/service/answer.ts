/** Reads the edge's answers. What is no such answer reads as `undefined`: nothing may be built on it. */
import type { Event } from '../event/event.ts';
import { fromWire } from '../event/wire.ts';
import { parseTimestamp } from '../event/timestamp.ts';

/** What became of one event. */
export interface Published {
  readonly id: string;
  /** `duplicate`: it was stored before, with the same content. */
  readonly status: 'published' | 'duplicate';
  /** Event time, in ms since the Unix epoch. */
  readonly timestamp: number;
}

export interface EventsAnswer {
  readonly events: readonly Event[];
  readonly next: string | undefined;
  readonly head: string | undefined;
  readonly more: boolean | undefined;
}

export type Fields = Readonly<Record<string, unknown>>;

export function readPublished(text: string, count: number): readonly Published[] | undefined {
  const answers = parse(text);
  if (!Array.isArray(answers) || answers.length !== count) return undefined;
  return readAll(answers, readOne);
}

export function readEvents(text: string): EventsAnswer | undefined {
  const answer = fieldsOf(parse(text));
  if (!Array.isArray(answer?.['events'])) return undefined;
  const { events, next, head, more } = answer;
  return {
    events: (events as unknown[]).map((wire) => fromWire(wire)),
    next: typeof next === 'string' ? next : undefined,
    head: typeof head === 'string' ? head : undefined,
    more: typeof more === 'boolean' ? more : undefined,
  };
}

/** Whether it is an edge that says that it is well. */
export function readHealth(text: string): true | undefined {
  return fieldsOf(parse(text))?.['status'] === 'ok' ? true : undefined;
}

function readOne(given: unknown): Published | undefined {
  const { event_id: id, status, timestamp } = fieldsOf(given) ?? {};
  const time = typeof timestamp === 'string' ? parseTimestamp(timestamp) : undefined;
  if (typeof id !== 'string' || time === undefined) return undefined;
  return status === 'published' || status === 'duplicate' ? { id, status, timestamp: time } : undefined;
}

/** All of them, or `undefined`. */
export function readAll<T>(
  given: unknown,
  read: (one: unknown) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(given)) return undefined;
  const found = given.map(read).filter((one) => one !== undefined);
  return found.length === given.length ? found : undefined;
}

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
