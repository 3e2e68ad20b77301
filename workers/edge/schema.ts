/** What the routes take, as zod schemas. */
import { z } from 'zod';
import { eventLimits } from '../../src/event/event.ts';
import { isStorableText, STORABLE_TEXT } from '../../src/event/text.ts';
import { parseTimestamp } from '../../src/event/timestamp.ts';
import { parseCursor } from '../../src/storage/cursor.ts';
import { pushLimits } from '../../src/sync/protocol.ts';
import { findNotFinite, NOT_FINITE, objectionToId, objectionToSegment } from './acceptance.ts';

/** The most of anything in one page of events. */
export const MAX_PAGE = 1000;
const MAX_PULL = 10_000;

const TIME = 'must be an ISO 8601 time such as 2026-01-31T09:30:00.000Z';

type Objects = (given: string) => string | undefined;

const text = (maximum: number, objects: Objects = () => undefined) =>
  z
    .string({ error: (issue) => (issue.input === undefined ? 'is required' : 'must be a string') })
    .check((context) => {
      const message = textProblem(context.value, maximum) ?? objects(context.value);
      if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value });
    });

/** One at a time: what comes after the first may follow from it. */
function textProblem(given: string, maximum: number): string | undefined {
  if (given === '') return 'must not be empty';
  if (given.length > maximum) return `must be at most ${maximum} characters long`;
  return isStorableText(given) ? undefined : STORABLE_TEXT;
}

/**
 * Numbers are what ECMAScript reads of JSON, IEEE 754 binary64 (RFC 8259, section 6): a whole number beyond 2^53 is
 * rounded to one that binary64 has, so an id of more digits is to be sent as a string.
 */
const data = z
  .unknown()
  .refine((given) => given !== undefined, 'is required: use null where there is none')
  .check((context) => {
    const path = findNotFinite(context.value);
    if (path !== undefined)
      context.issues.push({ code: 'custom', message: NOT_FINITE, input: undefined, path: [...path] });
  });

const time = z.string(TIME).transform((given, context) => {
  const timestamp = parseTimestamp(given);
  if (timestamp === undefined) context.issues.push({ code: 'custom', message: TIME, input: given });
  return timestamp ?? z.NEVER;
});

/** `POST /events`: an event in the wire form, of which the edge fills in the id, the time and the priority. */
export const newEvent = z.object(
  {
    id: text(eventLimits.id, objectionToId).nullish(),
    type: text(eventLimits.type, objectionToSegment),
    data,
    timestamp: time.nullish(),
    source: text(eventLimits.source),
    priority: z.literal([1, 2, 3, 4], 'must be 1 (low), 2 (normal), 3 (high) or 4 (critical)').nullish(),
    correlation_id: text(eventLimits.correlationId, objectionToSegment).nullish(),
    causation_id: text(eventLimits.causationId).nullish(),
    subject: text(eventLimits.subject).nullish(),
  },
  'must be an event, a JSON object',
);

export type NewEvent = z.infer<typeof newEvent>;

export const newEvents = z.array(newEvent);

const CURSOR = 'must be a cursor that a page or the live stream gave';

const cursor = z.string().transform((given, context) => {
  try {
    return parseCursor(given);
  } catch {
    context.issues.push({ code: 'custom', message: CURSOR, input: given });
    return z.NEVER;
  }
});

const limit = (fallback: number, maximum: number) => {
  const range = `must be a whole number from 1 to ${maximum}`;
  return z
    .string()
    .regex(/^[0-9]{1,6}$/, range)
    .transform(Number)
    .refine((given) => given >= 1 && given <= maximum, range)
    .default(fallback);
};

export const latestQuery = z.strictObject({ before: cursor.optional(), limit: limit(100, MAX_PAGE) });
export const pageQuery = z.strictObject({ after: cursor.optional(), limit: limit(100, MAX_PAGE) });
export const pullQuery = z.strictObject({ after: cursor.optional(), limit: limit(MAX_PAGE, MAX_PULL) });
export const liveQuery = z.strictObject({ after: cursor.optional() });
export const headQuery = z.strictObject({ producer: text(128) });
export const noQuery = z.strictObject({});
export const windowsQuery = z
  .strictObject({ from: time.optional(), to: time.optional() })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    path: ['to'],
    message: 'must not be before from',
  });

export const maxEvents = pushLimits.events;
