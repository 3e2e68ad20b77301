/** `GET /trace/{id}`: what caused what, when, and where it was delivered. */
import { createRoute, z } from '@hono/zod-openapi';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { decodeLine } from '../../../src/event/wire.ts';
import { trace, type Trace, type TraceClient, type TraceNode } from '../../../src/monitor/trace.ts';
import { tracedEvents } from '../answers.ts';
import { deliveriesOfEvents } from '../delivery/trace-deliveries.ts';
import { refusal } from '../problem.ts';
import { noQuery } from '../schema.ts';
import type { CarriedBy } from '../subscription-calls.ts';
import { logOf } from '../sharding/log-of.ts';
import type { ShardedLog } from '../sharding/sharded-log.ts';
import { createApi, described, jsonAnswer, notStored, rawJson } from './api.ts';

/** Events whose deliveries are told: each subscription is asked for all of them at once. */
const MOST_DELIVERED = 1_000;

const api = createApi();

const traceRoute = createRoute({
  method: 'get',
  path: '/trace/{id}',
  summary: 'What caused what, of a correlation or of the one that an event belongs to',
  description:
    'A cause comes before its effects, each with its depth: up to 10,000 events, and the deliveries of the first 1,000.',
  tags: ['Events'],
  request: {
    params: z.object({ id: z.string().openapi({ description: 'of a correlation, or of an event' }) }),
    query: noQuery,
  },
  responses: { 200: jsonAnswer('The trace', tracedEvents) },
});

export const traceRoutes = api.openapi(described(api, traceRoute, [400, 404]), async (context) => {
  const { id } = context.req.valid('param');
  const { tenant } = context.var.access;
  const source = sourceOf(logOf(context.env, tenant));
  let found = await trace(source, { correlationId: id });
  if (found.nodes.length === 0) found = await trace(source, { id });
  if (found.nodes.length === 0)
    throw refusal({ code: 'request.not-found', detail: 'no correlation and no event has this id' });
  const ids = found.nodes.flatMap(({ id, event }) => (event === undefined ? [] : [id]));
  const carried = await deliveriesOfEvents(context.env, ids.slice(0, MOST_DELIVERED), tenant);
  const answer = JSON.stringify(viewOf(found, carried));
  return rawJson<z.output<typeof tracedEvents>>(context, answer, notStored);
});

function sourceOf(log: ShardedLog): TraceClient {
  return {
    async getEvent(id) {
      const line = await log.event(id);
      return line === undefined ? undefined : decodeLine(line);
    },
    async getEventsByCorrelationId(correlationId, { limit, after } = {}) {
      const { lines, next, more } = await log.page({ correlationId, limit, after });
      return { events: lines.map((line) => decodeLine(line)), next: more ? next : undefined };
    },
  };
}

function viewOf(
  { nodes, traceIds, startedAt, endedAt, truncated }: Trace,
  carried: readonly CarriedBy[],
) {
  const byEvent = new Map<string, object[]>();
  for (const { subscription, service_name, deliveries } of carried)
    for (const delivery of deliveries)
      for (const id of delivery.event_ids) {
        const { event_ids: _, ...rest } = delivery;
        byEvent.set(id, [...(byEvent.get(id) ?? []), { subscription, service_name, ...rest }]);
      }
  return {
    events: nodes.map((node) => ({ ...viewOfNode(node), deliveries: byEvent.get(node.id) ?? [] })),
    trace_ids: traceIds,
    ...(startedAt !== undefined && { started_at: formatTimestamp(startedAt) }),
    ...(endedAt !== undefined && { ended_at: formatTimestamp(endedAt) }),
    truncated,
  };
}

function viewOfNode({ id, depth, event, afterCauseMs, afterStartMs, circular }: TraceNode) {
  if (event === undefined) return { id, depth, missing: true };
  return {
    id,
    depth,
    type: event.type,
    timestamp: formatTimestamp(event.timestamp),
    source: event.source,
    subject: event.subject,
    correlation_id: event.correlationId,
    causation_id: event.causationId,
    traceparent: event.traceparent,
    after_cause_ms: afterCauseMs,
    after_start_ms: afterStartMs,
    circular,
  };
}
