/**
 * An event of the device's log as a page shows it. Its line was checked on its way into the log, and again against its
 * checksum on its way out: here it is parsed, when it is first asked for, and no more.
 */
import type { Event } from '../../src/event/event.ts';
import type { WireEvent } from '../../src/event/wire.ts';
import type { Position } from '../../src/storage/storage.ts';
import type { StoredEvent } from '../../src/storage/stored-event.ts';

export function pageEvent(position: Position, line: string): StoredEvent {
  let event: Event | undefined;
  return {
    position,
    line,
    get event() {
      return (event ??= parse(line));
    },
  };
}

function parse(line: string): Event {
  const { timestamp, correlation_id, causation_id, ...rest } = JSON.parse(line) as WireEvent;
  return {
    ...rest,
    timestamp: Date.parse(timestamp),
    correlationId: correlation_id,
    causationId: causation_id,
  };
}
