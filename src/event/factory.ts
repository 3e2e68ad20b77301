/** Makes events: fills in what the caller leaves out, and checks data by the catalogue. */
import type { Ports } from '../ports.ts';
import type { Catalogue, DataOf, EventSchemas, TypeOf } from './catalogue.ts';
import { makeEvent, type Event } from './event.ts';
import { createIds } from './ids.ts';
import { DEFAULT_PRIORITY, type Priority } from './priority.ts';

/** What may be said of a new event beside its type and data. */
export interface EventOptions {
  /** Default: a new UUIDv7. */
  readonly id?: string | undefined;
  /** Default: now. */
  readonly timestamp?: number | undefined;
  /** Default: the factory's source. */
  readonly source?: string | undefined;
  /** Default: normal. */
  readonly priority?: Priority | undefined;
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly subject?: string | undefined;
  /** W3C Trace Context: `startTrace`, `continueTrace` and `causedBy` make it. Default: none. */
  readonly traceparent?: string | undefined;
}

export interface EventFactoryOptions<Schemas extends EventSchemas> {
  /** Who says so, in every event that does not name its own source. */
  readonly source: string;
  readonly ports: Pick<Ports, 'now' | 'fillRandom'>;
  /** Default: none, any type and data pass. */
  readonly catalogue?: Catalogue<Schemas> | undefined;
}

/**
 * Makes one event.
 *
 * @throws MillraceError as `Catalogue.check` and `makeEvent` do.
 */
export type EventFactory<Schemas extends EventSchemas> = <Type extends TypeOf<Schemas> | (string & {})>(
  type: Type,
  data: DataOf<Schemas, Type>,
  options?: EventOptions,
) => Event<Type, DataOf<Schemas, Type>>;

export function createEventFactory<Schemas extends EventSchemas = {}>(
  options: EventFactoryOptions<Schemas>,
): EventFactory<Schemas> {
  const { source, ports, catalogue } = options;
  const nextId = createIds(ports);
  return (type, data, given = {}) =>
    makeEvent({
      id: given.id ?? nextId(),
      type,
      data: (catalogue === undefined ? data : catalogue.check(type, data)) as typeof data,
      timestamp: given.timestamp ?? ports.now(),
      source: given.source ?? source,
      priority: given.priority ?? DEFAULT_PRIORITY,
      correlationId: given.correlationId,
      causationId: given.causationId,
      subject: given.subject,
      traceparent: given.traceparent,
    });
}
