/** What the subscriptions' routes take, as zod schemas. Each check says the rest of a sentence that starts with the field. */
import { z } from 'zod';
import { isWireError } from '../../src/errors.ts';
import { eventLimits } from '../../src/event/event.ts';
import { isStorableText, STORABLE_TEXT } from '../../src/event/text.ts';
import { parsePattern } from '../../src/routing/parse-pattern.ts';
import type { Pattern } from '../../src/routing/pattern.ts';
import { parseVector } from './sharding/vector-cursor.ts';
import { MAX_CALLBACK_LENGTH } from './delivery/callback-url.ts';
import { defaultSettings, settingsLimits } from './delivery/settings.ts';

const MAX_TYPES = 100;
const MAX_SEQUENCES = 1_000;

const text = (maximum: number) =>
  z
    .string({ error: ({ input }) => (input === undefined ? 'is required' : 'must be a string') })
    .min(1, 'must not be empty')
    .max(maximum, `must be at most ${maximum} characters long`)
    .refine(isStorableText, STORABLE_TEXT);

const whole = (least: number, most: number) =>
  z
    .int(`must be a whole number from ${least} to ${most}`)
    .min(least, atLeast(least))
    .max(most, atMost(most));

const flag = z.boolean('must be true or false');

/** Its place in the log. */
const place = z.string('must be a text').check((context) => {
  const { value } = context;
  try {
    parseVector(value);
  } catch {
    const message = 'must be a cursor that a page or the live stream gave';
    context.issues.push({ code: 'custom', message, input: value });
  }
});

const from = z.union([z.literal(['now', 'start']), place], {
  error: 'must be now, start, or a cursor that a page or the live stream gave',
});

const pattern = z.custom<Pattern>().check((context) => {
  try {
    parsePattern(context.value);
  } catch (error) {
    if (!isWireError(error) || !('path' in error.details) || !('reason' in error.details)) throw error;
    const path = error.details.path.split('/').slice(1).map(unescape);
    context.issues.push({ code: 'custom', message: error.details.reason, input: undefined, path });
  }
});

/** `POST /subscriptions`: as the specification has it, and what can be said beyond. */
export const newSubscription = z
  .strictObject(
    {
      service_name: text(256),
      /** To the letter. Either these, or a pattern. */
      event_types: z
        .array(text(eventLimits.type), 'must be a list of event types')
        .min(1, 'must name one type at least')
        .max(MAX_TYPES, `must name ${MAX_TYPES} types at most: use a pattern`)
        .optional(),
      pattern: pattern.optional(),
      /** Or `queue:NAME`, of a queue that the Worker is bound to. */
      callback_url: text(MAX_CALLBACK_LENGTH),
      /** Default: `now`; of a dry run, `start`. */
      from: from.optional(),
      /** Says what would match, and makes nothing. */
      dry_run: flag.default(false),
      format: z
        .literal(['json', 'cloudevents'], 'must be json or cloudevents')
        .default(defaultSettings.format),
      /** Delivers up to so many events of one order together, as an array. */
      batch: whole(1, settingsLimits.batch).optional(),
      concurrency: whole(1, settingsLimits.concurrency).default(defaultSettings.concurrency),
      timeout_ms: whole(100, settingsLimits.timeoutMs).default(defaultSettings.timeoutMs),
      retry_for_ms: whole(0, settingsLimits.retryForMs).default(defaultSettings.retryForMs),
    },
    { error: objectMessage },
  )
  .check(({ value, issues }) => {
    if ((value.event_types === undefined) === (value.pattern === undefined))
      issues.push({
        code: 'custom',
        path: ['event_types'],
        message: 'or pattern is required, and not both',
        input: undefined,
      });
  });

export type NewSubscription = z.infer<typeof newSubscription>;

/** `PATCH /subscriptions/{id}` */
export const subscriptionChange = z
  .strictObject(
    {
      state: z.literal(['active', 'paused'], 'must be active or paused').optional(),
      callback_url: text(MAX_CALLBACK_LENGTH).optional(),
      /** The answer carries the new secret; the old one signs beside it for a day. */
      rotate_secret: flag.optional(),
    },
    { error: objectMessage },
  )
  .refine((given) => Object.keys(given).length > 0, 'must change something');

/** `POST /subscriptions/{id}/replay`: what stands after `from`, up to `to`. */
export const replayRequest = z.strictObject(
  {
    from: z.union([z.literal('start'), place], { error: 'must be start, or a cursor' }),
    to: z.union([z.literal('now'), place], { error: 'must be now, or a cursor' }).default('now'),
  },
  { error: objectMessage },
);

/** `POST /subscriptions/{id}/dead-letters/redrive`: those named, or all, a thousand at a time. */
export const redriveRequest = z.strictObject(
  {
    sequences: z
      .array(whole(1, Number.MAX_SAFE_INTEGER), 'must be a list of sequences')
      .min(1, 'must name one at least; leave it out for all')
      .max(MAX_SEQUENCES, `must name ${MAX_SEQUENCES} at most`)
      .optional(),
  },
  { error: objectMessage },
);

const digits = (least: number, most: number) => {
  const range = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,16}$/, range)
    .transform(Number)
    .refine((given) => given >= least && given <= most, range);
};

export const sequenceParameter = digits(1, Number.MAX_SAFE_INTEGER);

/** `GET /subscriptions/{id}/deliveries`: the newest first. */
export const deliveriesQuery = z.strictObject({
  before: sequenceParameter.optional(),
  status: z
    .literal(['waiting', 'delivered', 'dead', 'dropped'], 'must be waiting, delivered, dead or dropped')
    .optional(),
  limit: digits(1, 1_000).default(100),
});

export const deadLettersQuery = deliveriesQuery.omit({ status: true });

function objectMessage({ code, keys }: { readonly code?: string | undefined; readonly keys?: unknown }) {
  if (code !== 'unrecognized_keys' || !Array.isArray(keys)) return 'must be a JSON object';
  return `has no such member as ${keys.join(', ')}`;
}

function unescape(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

function atLeast(least: number): string {
  return `must be at least ${least}`;
}

function atMost(most: number): string {
  return `must be at most ${most}`;
}
