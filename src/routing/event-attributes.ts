/** An event's attributes by their names on the wire, without making the wire form. */
import type { Event } from '../event/event.ts';
import { formatTimestamp } from '../event/timestamp.ts';
import type { Leaf } from './pattern.ts';

type ReadAttribute = (event: Event) => Leaf | undefined;

const attributes: ReadonlyMap<string, ReadAttribute> = new Map<string, ReadAttribute>([
  ['id', (event) => event.id],
  ['type', (event) => event.type],
  ['source', (event) => event.source],
  ['timestamp', (event) => formatTimestamp(event.timestamp)],
  ['priority', (event) => event.priority],
  ['correlation_id', (event) => event.correlationId],
  ['causation_id', (event) => event.causationId],
  ['subject', (event) => event.subject],
]);

/** Whether a pattern may name it at its top. */
export function isAttribute(name: string): boolean {
  return name === 'data' || attributes.has(name);
}

/** How to read it; the timestamp's ms for any name that is none. */
export function attributeReader(name: string): ReadAttribute {
  return attributes.get(name) ?? ((event) => event.timestamp);
}
