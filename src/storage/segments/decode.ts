/**
 * Decodes the lines of a segment. What is read here was checked when it was stored, and its checksum holds: it is parsed,
 * and not checked again. The time is taken from the columns, where it is a number already.
 */
import { restoreEvent, type Event } from '../../event/event.ts';
import type { WireEvent } from '../../event/wire.ts';
import type { Position } from '../position.ts';
import type { LineDecoder } from '../stored-event.ts';
import { columnsOf } from './columns.ts';
import type { SegmentHeader } from './segment.ts';

export class SegmentDecoder implements LineDecoder {
  readonly #first: Position;
  readonly #times: Float64Array;

  constructor(header: SegmentHeader) {
    this.#first = header.first;
    this.#times = columnsOf(header).times;
  }

  decode(position: Position, line: string): Event | undefined {
    const wire = parse(line);
    if (wire === undefined) return undefined;
    return restoreEvent(
      {
        id: wire.id,
        type: wire.type,
        data: wire.data,
        timestamp: this.#times[position - this.#first]!,
        source: wire.source,
        priority: wire.priority ?? 2,
        // A line from elsewhere may say `null` for what it leaves out.
        correlationId: wire.correlation_id ?? undefined,
        causationId: wire.causation_id ?? undefined,
        subject: wire.subject ?? undefined,
        traceparent: wire.traceparent ?? undefined,
      },
      line,
    );
  }
}

function parse(line: string): WireEvent | undefined {
  try {
    return JSON.parse(line) as WireEvent;
  } catch {
    return undefined;
  }
}
