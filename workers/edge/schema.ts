/** What the routes take, as zod schemas. */
import { z } from '@hono/zod-openapi';
import { eventLimits, isTraceparent, TRACEPARENT_FORM } from '../../src/event/event.ts';
import { isStorableText, STORABLE_TEXT } from '../../src/event/text.ts';
import { parseTimestamp } from '../../src/event/timestamp.ts';
import { pushLimits } from '../../src/sync/protocol.ts';
import { hasCode } from '../../src/errors.ts';
import { compileCondition } from '../../src/routing/condition.ts';
import type { Pattern } from '../../src/routing/pattern.ts';
import { parseVector } from './sharding/vector-cursor.ts';
import { findNotFinite, NOT_FINITE, objectionToId, objectionToSegment } from './acceptance.ts';

/** The most of anything in one page of events. */
export const MAX_PAGE = 1000;
const MAX_PULL = 10_000;

const TIME = 'must be an ISO 8601 time such as 2026-01-31T09:30:00.000Z';

/** The longest pattern in an address, in characters. */
export const MAX_PATTERN = 4096;
/** The longest wait for an event, in seconds. */
const MAX_WAIT = 30;

type Objects = (given: string) => string | undefined;

const text = (maximum: number, objects: Objects = () => undefined) =>
  z
    .string({ error: (issue) => (issue.input === undefined ? 'is required' : 'must be a string') })
    .check((context) => {
      const message = textProblem(context.value, maximum) ?? objects(context.value);
      if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value });
    })
    .openapi({ minLength: 1, maxLength: maximum });

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

const time = z
  .string(TIME)
  .openapi({ format: 'date-time' })
  .transform((given, context) => {
    const timestamp = parseTimestamp(given);
    if (timestamp === undefined) context.issues.push({ code: 'custom', message: TIME, input: given });
    return timestamp ?? z.NEVER;
  });

const PRIORITY = 'must be 1 (low), 2 (normal), 3 (high) or 4 (critical)';
const priority = z
  .literal([1, 2, 3, 4], PRIORITY)
  .openapi({ type: 'integer', enum: [1, 2, 3, 4], description: '1 low, 2 normal, 3 high, 4 critical' });

const traceparent = z
  .string(TRACEPARENT_FORM)
  .refine(isTraceparent, TRACEPARENT_FORM)
  .openapi({ minLength: 55, maxLength: 55, description: 'the trace that it is part of (W3C)' });

/** `POST /events`: an event in the wire form, of which the edge fills in the id, the time and the priority. */
export const newEvent = z
  .object(
    {
      id: text(eventLimits.id, objectionToId).nullish(),
      type: text(eventLimits.type, objectionToSegment),
      data,
      timestamp: time.nullish(),
      source: text(eventLimits.source),
      priority: priority.nullish(),
      correlation_id: text(eventLimits.correlationId, objectionToSegment).nullish(),
      causation_id: text(eventLimits.causationId).nullish(),
      subject: text(eventLimits.subject).nullish(),
      traceparent: traceparent.nullish(),
    },
    'must be an event, a JSON object',
  )
  .openapi('NewEvent');

export type NewEvent = z.infer<typeof newEvent>;

export const newEvents = z.array(newEvent);

const CURSOR = 'must be a cursor that a page or the live stream gave';

const cursor = z
  .string()
  .openapi({ description: 'a cursor that a page or the live stream gave', example: '10' })
  .transform((given, context) => {
    try {
      parseVector(given);
      return given;
    } catch {
      context.issues.push({ code: 'custom', message: CURSOR, input: given });
      return z.NEVER;
    }
  });

const limit = (fallback: number, maximum: number) => {
  const range = `must be a whole number from 1 to ${maximum}`;
  return z
    .string()
    .openapi({ type: 'integer', minimum: 1, maximum, default: fallback })
    .regex(/^[0-9]{1,6}$/, range)
    .transform(Number)
    .refine((given) => given >= 1 && given <= maximum, range)
    .default(fallback);
};

/** A pattern as JSON, as the router's rules have it. */
const pattern = z
  .string()
  .max(MAX_PATTERN, `must be at most ${MAX_PATTERN} characters long`)
  .openapi({ description: 'a pattern as JSON', example: '{"data":{"total":[{"numeric":[">=",100]}]}}' })
  .transform((given, context): Pattern => {
    try {
      const read = JSON.parse(given) as Pattern;
      compileCondition(read);
      return read;
    } catch (error) {
      const message = hasCode(error, 'pattern.invalid') ? error.message : 'must be a pattern as JSON';
      context.issues.push({ code: 'custom', message, input: given });
      return z.NEVER;
    }
  });

const WAIT = `must be a whole number of seconds from 0 to ${MAX_WAIT}`;
const wait = z
  .string()
  .openapi({ type: 'integer', minimum: 0, maximum: MAX_WAIT })
  .regex(/^[0-9]{1,3}$/, WAIT)
  .transform(Number)
  .refine((given) => given <= MAX_WAIT, WAIT);

const name = text(256);
const type = name.openapi({ example: 'order.placed' });
const choice = {
  type: z.union([type, z.array(type)], 'must be a type').optional(),
  source: text(eventLimits.source).optional(),
  subject: text(eventLimits.subject).optional(),
  correlation_id: text(eventLimits.correlationId).optional(),
  from: time.optional(),
  to: time.optional(),
  pattern: pattern.optional(),
  target: name.optional().openapi({ description: 'what the rules of this target match' }),
};
const FROM_TO = { path: ['to'], message: 'must not be before from' };
const inOrder = ({
  from,
  to,
}: {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}) => from === undefined || to === undefined || from <= to;

export const latestQuery = z.strictObject({ before: cursor.optional(), limit: limit(100, MAX_PAGE) });
export const pageQuery = z.strictObject({ after: cursor.optional(), limit: limit(100, MAX_PAGE) });
export const eventsQuery = z
  .strictObject({
    ...choice,
    after: cursor.optional(),
    before: cursor.optional(),
    direction: z.enum(['forward', 'backward'], 'must be forward or backward').default('forward'),
    limit: limit(100, MAX_PAGE),
  })
  .refine(inOrder, FROM_TO)
  .refine(({ before, direction }) => before === undefined || direction === 'backward', {
    path: ['before'],
    message: 'goes with direction=backward',
  })
  .refine(({ after, direction }) => after === undefined || direction === 'forward', {
    path: ['after'],
    message: 'goes with direction=forward',
  });
export const pullQuery = z.strictObject({ after: cursor.optional(), limit: limit(MAX_PAGE, MAX_PULL) });
export const liveQuery = z
  .strictObject({
    ...choice,
    after: cursor.optional(),
    wait: wait
      .optional()
      .openapi({ description: 'seconds: answers one page, as soon as there is an event' }),
    limit: limit(100, MAX_PAGE),
    token: z.string().optional().openapi({ description: 'from POST /live-tokens, in place of a key' }),
  })
  .refine(inOrder, FROM_TO);
export const publishQuery = z.strictObject({
  partial: z.enum(['true', 'false'], 'must be true or false').default('false'),
  key: z.string().optional().openapi({ description: 'a publishable key, where no header can be sent' }),
});
/** `POST /sync/push`: a page that is closing can send no header. */
export const pushQuery = z.strictObject({
  key: z.string().optional().openapi({ description: 'a publishable key, where no header can be sent' }),
});
export const headQuery = z.strictObject({ producer: text(128) });
export const noQuery = z.strictObject({});
export const windowsQuery = z
  .strictObject({ from: time.optional(), to: time.optional() })
  .refine(inOrder, FROM_TO);

export const maxEvents = pushLimits.events;
