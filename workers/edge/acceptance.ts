/**
 * What the edge asks of an event beyond the model: that it can be fetched again by its address, and that what is stored
 * is what was sent.
 */
import { eventLimits, type Event } from '../../src/event/event.ts';

export interface Objection {
  /** Keys from the event in its wire form down to what is objected to. */
  readonly path: readonly string[];
  readonly reason: string;
}

/** Every reader of an address takes them out of it, encoded or not (RFC 3986, section 5.2.4). */
const DOT_SEGMENTS: readonly string[] = ['.', '..'];
/** `GET /events/live` is the live stream. */
const TAKEN_IDS: readonly string[] = [...DOT_SEGMENTS, 'live'];

export const NOT_FINITE = 'must be a number that JSON keeps: it is beyond ±1.7976931348623157e308';

/** Whether `GET /events/{id}` would answer something else. */
export function objectionToId(id: string): string | undefined {
  if (!TAKEN_IDS.includes(id)) return undefined;
  return `must not be ${TAKEN_IDS.join(', ')}: GET /events/{id} could not answer it`;
}

/** Whether `GET /events/type/{type}`, or `GET /events/correlation/{id}`, would be cut off. */
export function objectionToSegment(text: string): string | undefined {
  if (!DOT_SEGMENTS.includes(text)) return undefined;
  return `must not be ${DOT_SEGMENTS.join(', ')}: no address could name it`;
}

export function objectionTo({ id, type, correlationId = '', data }: Event): Objection | undefined {
  const fields = [
    ['id', objectionToId(id)],
    ['type', objectionToSegment(type)],
    ['correlation_id', objectionToSegment(correlationId)],
  ] as const;
  for (const [name, reason] of fields) if (reason !== undefined) return { path: [name], reason };
  const path = findNotFinite(data);
  return path && { path: ['data', ...path], reason: NOT_FINITE };
}

/**
 * Where the first number stands that is not finite: `1e400` is JSON, is read as infinity, and would be written as null.
 * What is nested deeper than an event may be is refused for that, and not looked into.
 */
export function findNotFinite(
  value: unknown,
  depth: number = eventLimits.depth,
): readonly string[] | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : [];
  if (typeof value !== 'object' || value === null || depth === 0) return undefined;
  for (const key in value) {
    const path = findNotFinite((value as Record<string, unknown>)[key], depth - 1);
    if (path !== undefined) return [key, ...path];
  }
  return undefined;
}
