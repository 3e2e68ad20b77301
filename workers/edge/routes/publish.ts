/** `POST /events`: one event or many, all stored or none, or with `?partial=true` those that can be. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { createIds } from '../../../src/event/ids.ts';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { formatTraceparent, parseTraceparent } from '../../../src/event/trace-context.ts';
import { hostPorts } from '../../../src/ports.ts';
import { pushLimits } from '../../../src/sync/protocol.ts';
import { hashKey } from '../access/api-key.ts';
import { publishedEvent, rejectedEvent } from '../answers.ts';
import { checkEvent, type Checked } from '../checked-event.ts';
import type { EdgeBindings } from '../environment.ts';
import type { IdempotentRequest } from '../idempotency.ts';
import { countRejected } from '../metrics/count-requests.ts';
import { describeUnstored } from '../parse.ts';
import { MAX_FIELD_PROBLEMS, refusal, type FieldProblem } from '../problem.ts';
import { readPublished, type BroughtEvent, type PublishedBody } from '../published-body.ts';
import { maxEvents, newEvent, newEvents, publishQuery } from '../schema.ts';
import type { Published } from '../shard-calls.ts';
import { logOf } from '../sharding/log-of.ts';
import { traceAccepted } from '../tracing.ts';
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
      traceparent: z.string().optional().openapi({
        description: 'the trace of the events that name none (W3C Trace Context)',
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

export const publishRoutes = api.openapi(
  described(api, publishEvents, [400, 409, 413, 415, 422]),
  async (context) => {
    const { limits } = context.var.access;
    const body = await readPublished(context.req.raw, {
      bytes: limits?.bodyBytes ?? pushLimits.bytes,
      events: limits?.events ?? maxEvents,
    });
    const partial = context.req.valid('query').partial === 'true' && !body.single;
    const trace = parseTraceparent(context.req.header('traceparent'));
    const traceparent = trace && formatTraceparent(trace);
    const defaults = { nextId, now: hostPorts.now(), traceparent };
    const checked = body.events.map((event) => checkEvent(event, defaults));
    for (const one of checked) if ('code' in one) countRejected(context, one.code, 1);
    if (!partial) refuseIfAny(checked);
    const answers = await publish(context, { body, checked, partial });
    const lines = checked.flatMap((one, i) =>
      'line' in one && answers[i]?.status !== 'rejected' ? [one.line] : [],
    );
    traceAccepted(context, { lines, startMs: defaults.now, route: '/events' });
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
  if ('conflicts' in outcome) {
    countRejected(context, 'event.conflict', outcome.conflicts.length);
    throw conflict(outcome.conflicts.map((at) => body.events[sound[at]!.index]!));
  }
  const leftOut = outcome.published.filter((one) => one === null);
  countRejected(context, 'event.conflict', leftOut.length);
  if (outcome.replayed) context.header('idempotency-replayed', 'true');
  for (const [at, published] of outcome.published.entries()) {
    const { index } = sound[at]!;
    answers[index] =
      published === null ? rejected(conflicting(body.events[index]!)) : answerOf(published);
  }
  return answers as Answer[];
}

/** @throws HTTPException that names each event which cannot be stored */
function refuseIfAny(checked: readonly Checked[]): void {
  const failures = checked.filter((one) => 'errors' in one);
  const [first] = failures;
  if (first === undefined) return;
  const errors = failures.flatMap((one) => one.errors).slice(0, MAX_FIELD_PROBLEMS);
  throw refusal({ code: first.code, detail: describeUnstored(errors), errors });
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

function conflicting(event: BroughtEvent): Exclude<Checked, { line: string }> {
  return { code: 'event.conflict', errors: [conflictOf(event)] };
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
