/**
 * Whether what came as JSON is an event that can be stored: the answer of the schema `newEvent`, of `makeEvent` and of
 * `objectionTo` together, in one pass that makes nothing. It says yes or no: what is wrong is theirs to say, so whatever
 * is refused here goes to them. A property test holds both to the same answer.
 */
import { eventLimits, isTraceparent, type Event } from '../../src/event/event.ts';
import { DEFAULT_PRIORITY, isPriority, type Priority } from '../../src/event/priority.ts';
import { isStorableText } from '../../src/event/text.ts';
import { parseTimestamp } from '../../src/event/timestamp.ts';
import { objectionToId, objectionToSegment } from './acceptance.ts';

/** Its fields as they came, `null` where one is left out on purpose. */
export type SoundEvent = Pick<Event, 'type' | 'data' | 'source'> & {
  readonly id?: string | null;
  /** ISO 8601. */
  readonly timestamp?: string | null;
  readonly priority?: Priority | null;
  readonly correlation_id?: string | null;
  readonly causation_id?: string | null;
  readonly subject?: string | null;
  readonly traceparent?: string | null;
};

export function isSoundEvent(value: unknown): value is SoundEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const given = value as Record<keyof SoundEvent, unknown>;
  return (
    isText(given.type, eventLimits.type, objectionToSegment) &&
    isText(given.source, eventLimits.source) &&
    (given.id == null || isText(given.id, eventLimits.id, objectionToId)) &&
    (given.timestamp == null || isTime(given.timestamp)) &&
    (given.priority == null || isPriority(given.priority)) &&
    (given.correlation_id == null ||
      isText(given.correlation_id, eventLimits.correlationId, objectionToSegment)) &&
    (given.causation_id == null || isText(given.causation_id, eventLimits.causationId)) &&
    (given.subject == null || isText(given.subject, eventLimits.subject)) &&
    (given.traceparent == null || isTraceparent(given.traceparent)) &&
    isData(given.data, eventLimits.depth)
  );
}

/** What it is given where it does not say it itself. */
export interface SoundDefaults {
  readonly nextId: () => string;
  /** In ms since the Unix epoch. */
  readonly now: number;
  readonly traceparent: string | undefined;
}

/** What `makeEvent` would take, and find sound. */
export function fieldsOf(given: SoundEvent, { nextId, now, traceparent }: SoundDefaults): Event {
  return {
    id: given.id ?? nextId(),
    type: given.type,
    data: given.data,
    timestamp: given.timestamp == null ? now : parseTimestamp(given.timestamp)!,
    source: given.source,
    priority: given.priority ?? DEFAULT_PRIORITY,
    correlationId: given.correlation_id ?? undefined,
    causationId: given.causation_id ?? undefined,
    subject: given.subject ?? undefined,
    traceparent: given.traceparent ?? traceparent,
  };
}

function isText(
  given: unknown,
  maximum: number,
  objection?: (text: string) => string | undefined,
): boolean {
  return (
    typeof given === 'string' &&
    given !== '' &&
    given.length <= maximum &&
    isStorableText(given) &&
    objection?.(given) === undefined
  );
}

function isTime(given: unknown): boolean {
  return typeof given === 'string' && parseTimestamp(given) !== undefined;
}

/** JSON with finite numbers, nested as deep as an event's data may be. */
function isData(given: unknown, depth: number): boolean {
  if (typeof given === 'number') return Number.isFinite(given);
  if (typeof given !== 'object' || given === null) return given !== undefined;
  if (depth === 0) return false;
  if (Array.isArray(given)) return given.every((one) => isData(one, depth - 1));
  for (const key in given) if (!isData((given as Record<string, unknown>)[key], depth - 1)) return false;
  return true;
}
