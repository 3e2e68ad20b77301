/** What the routes answer, as zod schemas. */
import { z } from '@hono/zod-openapi';

export const problemBody = z
  .looseObject({
    type: z.string().openapi({ example: 'urn:millrace:problem:event.invalid' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    errors: z
      .array(z.object({ pointer: z.string(), detail: z.string() }))
      .optional()
      .openapi({ description: 'places in the request that are wrong, by JSON pointer (RFC 6901)' }),
  })
  .openapi('Problem', { description: 'Problem details (RFC 9457)' });

/** As it was captured: what is optional may be missing or null. */
export const storedEvent = z
  .looseObject({
    id: z.string(),
    type: z.string(),
    data: z.unknown(),
    timestamp: z.string().openapi({ description: 'ISO 8601' }),
    source: z.string(),
    priority: z
      .number()
      .nullish()
      .openapi({ description: '1 low, 2 normal (where it is missing), 3 high, 4 critical' }),
    correlation_id: z.string().nullish(),
    causation_id: z.string().nullish(),
    subject: z.string().nullish(),
    traceparent: z.string().nullish(),
  })
  .openapi('Event');

const cursor = z.string().openapi({ description: 'opaque: to be given back as it is', example: '10' });

export const eventPage = z
  .object({
    events: z.array(storedEvent),
    next: cursor,
    head: cursor,
    more: z.boolean().openapi({ description: 'a page may hold nothing and have more' }),
  })
  .openapi('EventPage');

export const eventList = z
  .object({ events: z.array(storedEvent), count: z.int(), next: cursor.optional() })
  .openapi('EventList', { description: '`next` is there where there is more' });

export const publishedEvent = z
  .object({
    event_id: z.string(),
    status: z.enum(['published', 'duplicate']),
    timestamp: z.string(),
  })
  .openapi('Published');

export const rejectedEvent = z
  .object({
    status: z.literal('rejected'),
    code: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })),
  })
  .openapi('Rejected', { description: 'with `?partial=true`, an event that was not stored' });

export const windowDefinition = z
  .object({
    name: z.string(),
    path: z.string().openapi({ description: 'where its results are' }),
    size_ms: z.int().openapi({ description: 'of each window; they stand side by side' }),
    offset_ms: z.int().openapi({ description: 'where they begin, from the Unix epoch on' }),
    key: z.string().openapi({ description: 'the field of an event that its window is kept by' }),
    aggregation: z.string(),
  })
  .openapi('WindowDefinition');

export const windowResult = z
  .object({
    window: z.object({ start: z.string(), end: z.string() }),
    key: z.string(),
    value: z.object({ count: z.number() }),
    revision: z.int(),
  })
  .openapi('WindowResult');

export const liveToken = z.object({ token: z.string(), expires_at: z.string() }).openapi('LiveToken');

export const storedKey = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    tenant: z.string(),
    origins: z.array(z.string()).optional(),
    limits: z.record(z.string(), z.number()).optional(),
    created_at: z.string(),
  })
  .openapi('Key');

export const createdKey = storedKey
  .extend({ key: z.string().openapi({ description: 'shown this once' }) })
  .openapi('CreatedKey');

export const failedCondition = z
  .looseObject({ reason: z.string(), path: z.string().optional() })
  .openapi('FailedCondition');

export const tracedEvents = z
  .object({
    events: z.array(
      z.looseObject({
        id: z.string(),
        depth: z.int().openapi({ description: '0 where nothing that is known has caused it' }),
        type: z.string().optional(),
        timestamp: z.string().optional(),
        source: z.string().optional(),
        after_cause_ms: z.number().optional(),
        after_start_ms: z.number().optional(),
        missing: z
          .boolean()
          .optional()
          .openapi({ description: 'it is named as a cause, and not stored' }),
        circular: z.boolean().optional().openapi({ description: 'it is among its own causes' }),
        deliveries: z.array(z.looseObject({ subscription: z.string(), service_name: z.string() })),
      }),
    ),
    trace_ids: z.array(z.string()).openapi({ description: 'of W3C Trace Context' }),
    started_at: z.string().optional(),
    ended_at: z.string().optional(),
    truncated: z.boolean(),
  })
  .openapi('Trace');

export const explanation = z
  .object({
    event: storedEvent,
    causes: z
      .array(storedEvent)
      .openapi({ description: 'what caused it, and what caused that, up to 16' }),
    correlated: z
      .array(z.string())
      .openapi({ description: 'ids of the first 100 that belong together' }),
    rules: z.array(
      z.object({
        id: z.string(),
        target: z.string(),
        matched: z.boolean(),
        failed: failedCondition.optional(),
      }),
    ),
    subscriptions: z.array(z.looseObject({})),
  })
  .openapi('Explanation');
