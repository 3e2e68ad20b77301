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
  readonly more: boolean | undefined;
}

export function readPublished(text: string, count: number): readonly Published[] | undefined {
  const answers = parse(text);
  if (!Array.isArray(answers) || answers.length !== count) return undefined;
  const published = answers.map(readOne).filter((one) => one !== undefined);
  return published.length === count ? published : undefined;
}

export function readEvents(text: string): EventsAnswer | undefined {
  const answer = parse(text) as { events?: unknown; next?: unknown; more?: unknown } | undefined;
  if (!Array.isArray(answer?.events)) return undefined;
  const next = typeof answer.next === 'string' ? answer.next : undefined;
  const more = typeof answer.more === 'boolean' ? answer.more : undefined;
  return { events: answer.events.map((wire) => fromWire(wire)), next, more };
}

function readOne(
  answer: { event_id?: unknown; status?: unknown; timestamp?: unknown } | null,
): Published | undefined {
  const { event_id: id, status, timestamp } = answer ?? {};
  const time = typeof timestamp === 'string' ? parseTimestamp(timestamp) : undefined;
  if (typeof id !== 'string' || time === undefined) return undefined;
  return status === 'published' || status === 'duplicate' ? { id, status, timestamp: time } : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
