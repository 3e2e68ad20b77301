/** Whether two events say the same, whatever the order of the keys in their JSON. */
import type { Event } from '../event/event.ts';
import { encodeLine } from '../event/wire.ts';

export function sameContent(a: Event, b: Event): boolean {
  if (encodeLine(a) === encodeLine(b)) return true;
  return (
    a.id === b.id &&
    a.type === b.type &&
    a.timestamp === b.timestamp &&
    a.source === b.source &&
    a.priority === b.priority &&
    a.correlationId === b.correlationId &&
    a.causationId === b.causationId &&
    a.subject === b.subject &&
    // Through JSON, since that is what is stored: a Date in memory is the same as its text at rest.
    sameJson(throughJson(a.data), throughJson(b.data))
  );
}

/** Whether two data say the same as they are, whatever the order of their keys. */
export function sameData(a: unknown, b: unknown): boolean {
  return sameJson(a, b);
}

function throughJson(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data));
}

function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) &&
      sameJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}
