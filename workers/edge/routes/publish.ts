/** `POST /events`: one event, or an array of which all are stored or none. */
import { Hono, type Context } from 'hono';
import { hasCode } from '../../../src/errors.ts';
import { makeEvent } from '../../../src/event/event.ts';
import { createIds } from '../../../src/event/ids.ts';
import { Priority } from '../../../src/event/priority.ts';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { encodeLine } from '../../../src/event/wire.ts';
import { hostPorts } from '../../../src/ports.ts';
import type { EdgeBindings } from '../environment.ts';
import { describeUnstored, parseBody, parseJson } from '../parse.ts';
import { MAX_FIELD_PROBLEMS, refusal, type FieldProblem, type ProblemCode } from '../problem.ts';
import { readBody } from '../request-body.ts';
import { maxEvents, newEvent, newEvents, type NewEvent } from '../schema.ts';
import { unwrap, type Published } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';

const nextId = createIds(hostPorts);

export const publishRoutes = new Hono<EdgeBindings>().post('/events', async (context) => {
  const body = parseJson(await readBody(context.req.raw, ['application/json']));
  if (!Array.isArray(body)) {
    const event = parseBody(newEvent, body);
    const [published] = await publish(context, [event], () => '');
    return context.json(answerOf(published!));
  }
  if (body.length > maxEvents) throw tooMany(body.length);
  const events = parseBody(newEvents, body);
  const published = await publish(context, events, (index) => `/${index}`);
  return context.json(published.map(answerOf));
});

async function publish(
  context: Context<EdgeBindings>,
  events: readonly NewEvent[],
  pointerOf: (index: number) => string,
): Promise<readonly Published[]> {
  if (events.length === 0) return [];
  const lines = encode(events, pointerOf);
  const untimed = events.flatMap(({ id, timestamp }, index) =>
    id != null && timestamp == null ? [index] : [],
  );
  const outcome = unwrap(await shardOf(context.env).publish(lines, untimed));
  if ('published' in outcome) return outcome.published;
  const errors = outcome.conflicts.slice(0, MAX_FIELD_PROBLEMS).map((index) => ({
    pointer: `${pointerOf(index)}/id`,
    detail: 'is known with other content: give the new event an id of its own',
  }));
  throw refusal({ code: 'event.conflict', detail: describeUnstored(errors), errors });
}

/** @throws HTTPException that names each event which cannot be stored */
function encode(events: readonly NewEvent[], pointerOf: (index: number) => string): readonly string[] {
  const now = hostPorts.now();
  const failures: { readonly code: ProblemCode; readonly field: FieldProblem }[] = [];
  const lines = events.map((event, index) => {
    try {
      return encodeOne(event, now);
    } catch (error) {
      failures.push(failureOf(error, pointerOf(index)));
      return '';
    }
  });
  const [first] = failures;
  if (first === undefined) return lines;
  const errors = failures.slice(0, MAX_FIELD_PROBLEMS).map(({ field }) => field);
  throw refusal({ code: first.code, detail: describeUnstored(errors), errors });
}

function failureOf(error: unknown, pointer: string): { code: ProblemCode; field: FieldProblem } {
  if (hasCode(error, 'event.invalid')) {
    const { path, reason } = error.details;
    return { code: error.code, field: { pointer: pointer + path, detail: reason } };
  }
  if (hasCode(error, 'limit.exceeded')) {
    const { actual, maximum } = error.details;
    const detail = `is an event of ${actual} characters, the limit is ${maximum}: store large content elsewhere and refer to it`;
    return { code: error.code, field: { pointer, detail } };
  }
  throw error;
}

function encodeOne(event: NewEvent, now: number): string {
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

function answerOf({ id, timestamp, duplicate }: Published) {
  const status = duplicate ? ('duplicate' as const) : ('published' as const);
  return { event_id: id, status, timestamp: formatTimestamp(timestamp) };
}

function tooMany(actual: number) {
  return refusal({
    code: 'limit.exceeded',
    detail: `the request has ${actual} events, the limit is ${maxEvents}: split it, nothing of it was stored`,
    more: { details: { limit: 'request.events', maximum: maxEvents, actual } },
  });
}
