/** Lanes: within one, deliveries go out one after another; across them, together. */
import type { Event } from '../../../src/event/event.ts';

/** What an event keeps its order by: its subject, else its correlation, else nothing but itself. */
export function keyOf({ subject, correlationId, id }: Event): string {
  if (subject !== undefined) return `s:${subject}`;
  return correlationId === undefined ? `i:${id}` : `c:${correlationId}`;
}

/** A replay is another reading of the log: it has an order of its own, and waits for nothing of the first reading. */
export function laneOf(key: string, replay: string | undefined): string {
  return replay === undefined ? key : `${replay} ${key}`;
}
