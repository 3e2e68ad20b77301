/** `POST /events`: one event or many, all stored or none, or with `?partial=true` those that can be. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { hasCode } from '../../../src/errors.ts';
import { makeEvent } from '../../../src/event/event.ts';
import { createIds } from '../../../src/event/ids.ts';
import { Priority } from '../../../src/event/priority.ts';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { encodeLine } from '../../../src/event/wire.ts';
import { hostPorts } from '../../../src/ports.ts';
import { pushLimits } from '../../../src/sync/protocol.ts';
import { hashKey } from '../access/api-key.ts';
import { publishedEvent, rejectedEvent } from '../answers.ts';
import type { EdgeBindings } from '../environment.ts';
import type { IdempotentRequest } from '../idempotency.ts';
import { describeUnstored, problemsOf } from '../parse.ts';
import { MAX_FIELD_PROBLEMS, refusal, type FieldProblem, type ProblemCode } from '../problem.ts';
import { readPublished, type BroughtEvent, type PublishedBody } from '../published-body.ts';
import { maxEvents, newEvent, newEvents, publishQuery, type NewEvent } from '../schema.ts';
import type { Published } from '../shard-calls.ts';
import { logOf } from '../sharding/log-of.ts';
import { createApi, described, jsonAnswer } from './api.ts';

const nextId = createIds(hostPorts);
const api = createApi();
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

const cloudEvent = z
  .looseObject({ specversion: z.literal('1.0'), id: z.string(), source: z.string(), type: z.string() })
  .openapi('CloudEvent');

const publishEvents = createRoute({
  method: 'post',
  path: '/events',
  summary: 'Publishes one event, or many',
  description:
    'All events of a request are stored, or none; with `?partial=true` those that can be, and the answer says of the ' +
    'others why not. An event in CloudEvents’ binary mode has its attributes in `ce-` headers and its data as the body.',
  tags: ['Events'],
  request: {
    query: publishQuery,
    headers: z.object({
      'idempotency-key': z.string().optional().openapi({
        description: 'the same request with the same key gets the first outcome, for a day',
      }),
    }),
    body: {
      required: true,
      content: {
        'application/json': { schema: z.union([newEvent, newEvents]) },
        'application/x-ndjson': { schema: z.string().openapi({ description: 'one event a line' }) },
        'application/cloudevents+json': { schema: cloudEvent },
        'application/cloudevents-batch+json': { schema: z.array(cloudEvent) },
      },
    },
  },
  responses: {
    200: jsonAnswer(
      'Of each event in turn what became of it; of one by itself, by itself',
      z.union([publishedEvent, z.array(z.union([publishedEvent, rejectedEvent]))]),
    ),
  },
});

/** What can be stored, or why it cannot. */
type Checked =
  | { readonly line: string; readonly untimed: boolean }
  | { readonly code: ProblemCode; readonly errors: readonly FieldProblem[] };

export const publishRoutes = api.openapi(
  described(api, publishEvents, [400, 409, 413, 415, 422]),
  async (context) => {
    const { limits } = context.var.access;
    const body = await readPublished(context.req.raw, {
      bytes: limits?.bodyBytes ?? pushLimits.bytes,
      events: limits?.events ?? maxEvents,
    });
    const partial = context.req.valid('query').partial === 'true' && !body.single;
    const now = hostPorts.now();
    const checked = body.events.map((event) => check(event, now));
    if (!partial) refuseIfAny(checked);
    const answers = await publish(context, { body, checked, partial });
    return context.json(body.single ? (answers[0] as z.output<typeof publishedEvent>) : answers, 200);
  },
);

type Answer = z.output<typeof publishedEvent> | z.output<typeof rejectedEvent>;

interface Publishing {
  readonly body: PublishedBody;
  readonly checked: readonly Checked[];
  readonly partial: boolean;
}

async function publish(
  context: Context<EdgeBindings>,
  { body, checked, partial }: Publishing,
): Promise<Answer[]> {
  const sound = checked.flatMap((one, index) => ('line' in one ? [{ ...one, index }] : []));
  const idempotent = await idempotencyOf(context, body, partial);
  const answers = checked.map((one): Answer | undefined => ('line' in one ? undefined : rejected(one)));
  if (sound.length === 0) return answers.filter((answer) => answer !== undefined);
  const outcome = await logOf(context.env, context.var.access.tenant).publish({
    lines: sound.map(({ line }) => line),
    untimed: sound.flatMap(({ untimed }, at) => (untimed ? [at] : [])),
    partial,
    idempotent,
  });
  if ('reused' in outcome) throw reusedKey();
  if ('conflicts' in outcome)
    throw conflict(outcome.conflicts.map((at) => body.events[sound[at]!.index]!));
  if (outcome.replayed) context.header('idempotency-replayed', 'true');
  for (const [at, published] of outcome.published.entries()) {
    const { index } = sound[at]!;
    const errors = [conflictOf(body.events[index]!)];
    answers[index] =
      published === null ? rejected({ code: 'event.conflict', errors }) : answerOf(published);
  }
  return answers as Answer[];
}

function check({ value, pointer, problem, own }: BroughtEvent, now: number): Checked {
  if (problem !== undefined) return { code: 'event.invalid', errors: [problem] };
  const result = newEvent.safeParse(value);
  if (!result.success) {
    const errors = problemsOf(result.error).map((one) => ({
      ...one,
      pointer: pointer + own(one.pointer),
    }));
    return { code: 'event.invalid', errors };
  }
  const { data: event } = result;
  try {
    return { line: encode(event, now), untimed: event.id != null && event.timestamp == null };
  } catch (error) {
    return failureOf(error, pointer, own);
  }
}

/** @throws HTTPException that names each event which cannot be stored */
function refuseIfAny(checked: readonly Checked[]): void {
  const failures = checked.filter((one) => 'errors' in one);
  const [first] = failures;
  if (first === undefined) return;
  const errors = failures.flatMap((one) => one.errors).slice(0, MAX_FIELD_PROBLEMS);
  throw refusal({ code: first.code, detail: describeUnstored(errors), errors });
}

function failureOf(error: unknown, pointer: string, own: BroughtEvent['own']): Checked {
  if (hasCode(error, 'event.invalid')) {
    const { path, reason } = error.details;
    return { code: error.code, errors: [{ pointer: pointer + own(path), detail: reason }] };
  }
  if (hasCode(error, 'limit.exceeded')) {
    const { actual, maximum } = error.details;
    const detail = `is an event of ${actual} characters, the limit is ${maximum}: store large content elsewhere and refer to it`;
    return { code: error.code, errors: [{ pointer, detail }] };
  }
  throw error;
}

function encode(event: NewEvent, now: number): string {
  return encodeLine(
    makeEvent({
      id: event.id ?? nextId(),
      type: event.type,
      data: event.data,
      timestamp: event.timestamp ?? now,
      source: event.source,
      priority: event.priority ?? Priority.normal,
      correlationId: event.correlation_id ?? undefined,
      causationId: event.causation_id ?? undefined,
      subject: event.subject ?? undefined,
    }),
  );
}

/** Of one key holder: another's idempotency keys are none of theirs. */
async function idempotencyOf(
  { req, var: { access } }: Context<EdgeBindings>,
  { text }: PublishedBody,
  partial: boolean,
): Promise<IdempotentRequest | undefined> {
  const given = req.header('idempotency-key');
  if (given === undefined) return undefined;
  if (!IDEMPOTENCY_KEY.test(given)) {
    const detail = 'must be 1 to 255 visible ASCII characters';
    const errors = [{ pointer: '/idempotency-key', detail }];
    throw refusal({ code: 'query.invalid', detail: `the header Idempotency-Key ${detail}`, errors });
  }
  const type = req.header('content-type') ?? '';
  return {
    key: await hashKey(`${access.id}\n${given}`),
    hash: await hashKey(`${partial}\n${type}\n${text}`),
  };
}

function answerOf({ id, timestamp, duplicate }: Published): Answer {
  const status = duplicate ? ('duplicate' as const) : ('published' as const);
  return { event_id: id, status, timestamp: formatTimestamp(timestamp) };
}

function rejected({ code, errors }: Exclude<Checked, { line: string }>): Answer {
  return { status: 'rejected', code, errors: [...errors] };
}

function conflictOf({ pointer }: BroughtEvent): FieldProblem {
  const detail = 'is known with other content: give the new event an id of its own';
  return { pointer: `${pointer}/id`, detail };
}

function conflict(events: readonly BroughtEvent[]) {
  const errors = events.slice(0, MAX_FIELD_PROBLEMS).map(conflictOf);
  return refusal({ code: 'event.conflict', detail: describeUnstored(errors), errors });
}

function reusedKey() {
  return refusal({
    code: 'request.reused-key',
    detail: 'another request came with this Idempotency-Key: take a new one, nothing was stored',
  });
}
