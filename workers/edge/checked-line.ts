/**
 * Reads a line that the Worker has checked before it sent it on to a shard: it is parsed, and not checked again. A line
 * from anywhere else is read by `decodeLine`.
 */
import { restoreEvent, type Event } from '../../src/event/event.ts';
import { parseTimestamp } from '../../src/event/timestamp.ts';
import { decodeLine, type WireEvent } from '../../src/event/wire.ts';

/** @throws MillraceError `event.invalid` where it was not checked after all */
export function readCheckedLine(line: string): Event {
  const wire = JSON.parse(line) as WireEvent;
  const timestamp = parseTimestamp(wire.timestamp);
  if (timestamp === undefined) return decodeLine(line);
  return restoreEvent(
    {
      id: wire.id,
      type: wire.type,
      data: wire.data,
      timestamp,
      source: wire.source,
      priority: wire.priority ?? 2,
      correlationId: wire.correlation_id ?? undefined,
      causationId: wire.causation_id ?? undefined,
      subject: wire.subject ?? undefined,
      traceparent: wire.traceparent ?? undefined,
    },
    line,
  );
}
