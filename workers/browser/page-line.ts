/**
 * What a page captures, as the line of its event: the one encoding that log, sync and edge carry on. Only the catalogue
 * checks it here; what else is wrong with it the worker finds when it decodes the line.
 */
import type { EventSchemas } from '../../src/event/catalogue.ts';
import type { EventFactoryOptions, EventOptions } from '../../src/event/factory.ts';
import { createIds } from '../../src/event/ids.ts';
import { DEFAULT_PRIORITY, type Priority } from '../../src/event/priority.ts';
import { formatTimestamp } from '../../src/event/timestamp.ts';

export interface PageLine {
  readonly id: string;
  readonly priority: Priority;
  readonly line: string;
}

export type LineWriter = (type: string, data: unknown, options?: EventOptions) => PageLine;

/**
 * The line is the one that `encodeLine` gives the event that `createEventFactory` makes of the same.
 *
 * @throws MillraceError as `Catalogue.check` does; what JSON.stringify throws.
 */
export function createLineWriter<Schemas extends EventSchemas>({
  ports,
  catalogue,
  source: ownSource,
}: EventFactoryOptions<Schemas>): LineWriter {
  const nextId = createIds(ports);
  return (
    type,
    data,
    {
      id = nextId(),
      timestamp = ports.now(),
      source = ownSource,
      priority = DEFAULT_PRIORITY,
      correlationId,
      causationId,
      subject,
      traceparent,
    } = {},
  ) => ({
    id,
    priority,
    line: JSON.stringify({
      id,
      type,
      data: catalogue === undefined ? data : catalogue.check(type, data),
      timestamp: formatTimestamp(timestamp),
      source,
      priority,
      correlation_id: correlationId,
      causation_id: causationId,
      subject,
      traceparent,
    }),
  });
}
