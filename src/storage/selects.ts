/** Whether a query selects an event, whatever its position. */
import type { Event } from '../event/event.ts';
import type { Query } from './storage.ts';

export function selects(query: Query, event: Event): boolean {
  return (
    (query.id === undefined || query.id === event.id) &&
    (query.types === undefined || query.types.includes(event.type)) &&
    (query.correlationId === undefined || query.correlationId === event.correlationId) &&
    (query.subject === undefined || query.subject === event.subject) &&
    (query.from === undefined || event.timestamp >= query.from) &&
    (query.to === undefined || event.timestamp < query.to)
  );
}
