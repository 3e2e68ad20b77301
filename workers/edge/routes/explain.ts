/** `GET /events/{id}/explain`: where an event came from, and where it goes or why not. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Event } from '../../../src/event/event.ts';
import { decodeLine } from '../../../src/event/wire.ts';
import { EventRouter } from '../../../src/routing/event-router.ts';
import type { Explanation } from '../../../src/routing/explain.ts';
import { tenantDirectory } from '../access/directory-of.ts';
import { explanation } from '../answers.ts';
import { explainDelivery } from '../delivery/explain.ts';
import { refusal } from '../problem.ts';
import { noQuery } from '../schema.ts';
import { unwrap } from '../shard-calls.ts';
import { logOf } from '../sharding/log-of.ts';
import type { ShardedLog } from '../sharding/sharded-log.ts';
import { createApi, described, jsonAnswer, notStored, rawJson } from './api.ts';

/** Causes that are followed. */
const MOST_CAUSES = 16;
/** Ids of a correlation that are listed. */
const MOST_CORRELATED = 100;

const api = createApi();

const explain = createRoute({
  method: 'get',
  path: '/events/{id}/explain',
  summary:
    'Where an event came from; which rules and subscriptions match it, or why not; each attempt to deliver it',
  tags: ['Events'],
  request: { params: z.object({ id: z.string() }), query: noQuery },
  responses: { 200: jsonAnswer('The explanation', explanation) },
});

export const explainRoutes = api.openapi(described(api, explain, [400, 404]), async (context) => {
  const { tenant } = context.var.access;
  const log = logOf(context.env, tenant);
  const line = await log.event(context.req.valid('param').id);
  if (line === undefined) throw refusal({ code: 'request.not-found', detail: 'no event has this id' });
  const event = decodeLine(line);
  const router = new EventRouter({ onWarning: () => undefined });
  router.addRules(unwrap(await tenantDirectory(context.env, tenant).listRules()));
  const answer = {
    event: JSON.parse(line) as unknown,
    causes: await causesOf(log, event),
    correlated: await correlatedWith(log, event),
    rules: router.explain(event).map(ruleView),
    subscriptions: await explainDelivery(context.env, line, tenant),
  };
  return rawJson<z.output<typeof explanation>>(context, JSON.stringify(answer), notStored);
});

/** From the nearest on. One that is not stored here ends them, and so does one that comes again. */
async function causesOf(log: ShardedLog, { id, causationId }: Event): Promise<unknown[]> {
  const causes: unknown[] = [];
  const seen = new Set([id]);
  for (let next = causationId; next !== undefined && causes.length < MOST_CAUSES && !seen.has(next);) {
    seen.add(next);
    const line = await log.event(next);
    if (line === undefined) break;
    causes.push(JSON.parse(line));
    next = decodeLine(line).causationId;
  }
  return causes;
}

async function correlatedWith(log: ShardedLog, { correlationId }: Event): Promise<string[]> {
  const ids: string[] = [];
  let more = correlationId !== undefined;
  for (let after: string | undefined; more && ids.length < MOST_CORRELATED;) {
    const page = await log.page({ correlationId, after, limit: MOST_CORRELATED - ids.length });
    ids.push(...page.lines.map((line) => decodeLine(line).id));
    ({ more, next: after } = page);
  }
  return ids;
}

function ruleView({ rule: { id, target }, matched, failed }: Explanation) {
  return { id, target, matched, ...(failed && { failed }) };
}
