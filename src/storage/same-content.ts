/**
 * Whether two events say the same, whatever the order of the keys in their JSON, and whatever trace they came by: a request
 * that is sent once more is another span, and the same event.
 */
import type { Event } from '../event/event.ts';
import { encodeLine, writeLine } from '../event/wire.ts';

export function sameContent(a: Event, b: Event): boolean {
  // Else as we write them: a line from elsewhere may spell its time in another way.
  return encodeLine(a) === encodeLine(b) || sameJson(contentOf(a), contentOf(b));
}

function contentOf(event: Event): unknown {
  return JSON.parse(writeLine({ ...event, traceparent: undefined }));
}

/** Whether two data say the same as they are, whatever the order of their keys. */
export function sameData(a: unknown, b: unknown): boolean {
  return sameJson(a, b);
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
