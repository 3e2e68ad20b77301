/**
 * The router's rules, kept as JSON. A target is a name for what its rules match: `GET /events` and the live stream give
 * the events of a target, and `explain` says of an event which rules match it.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { EventRouter } from '../../../src/routing/event-router.ts';
import { routingInvalid } from '../../../src/routing/invalid.ts';
import { checkRule, type RoutingRule } from '../../../src/routing/routing-rule.ts';
import { tenantDirectory } from '../access/directory-of.ts';
import { parseJson } from '../parse.ts';
import { refusal } from '../problem.ts';
import { readBody } from '../request-body.ts';
import { noQuery } from '../schema.ts';
import { unwrap } from '../shard-calls.ts';
import { createApi, described, jsonAnswer, notStored } from './api.ts';

const api = createApi();
const tags = ['Rules'];
const params = z.object({ id: z.string() });
/** All of a tenant's rules are read together: a thousand of these are what one answer of the directory can carry. */
const MAX_RULE_BYTES = 16_384;
/** A subscription's own selection says what it is for, and never changes. */
const SUBSCRIPTION_TARGET = 'subscription:';

const newRule = z
  .looseObject({
    target: z.string().openapi({ description: 'a name', example: 'topic:large-orders' }),
    source: z.string().optional(),
    condition: z
      .looseObject({})
      .optional()
      .openapi({ description: 'a pattern', example: { data: { total: [{ numeric: ['>=', 100] }] } } }),
    priority: z.number().optional(),
    timeoutMs: z.number().optional(),
    description: z.string().optional(),
  })
  .openapi('NewRule');
const rule = newRule.extend({ id: z.string() }).openapi('Rule');

const listRules = createRoute({
  method: 'get',
  path: '/rules',
  summary: 'All rules',
  tags,
  request: { query: noQuery },
  responses: { 200: jsonAnswer('The rules', z.object({ rules: z.array(rule) }).openapi('Rules')) },
});

const oneRule = createRoute({
  method: 'get',
  path: '/rules/{id}',
  summary: 'One rule',
  tags,
  request: { params, query: noQuery },
  responses: { 200: jsonAnswer('The rule', rule) },
});

const putRule = createRoute({
  method: 'put',
  path: '/rules/{id}',
  summary: 'Puts a rule, in place of the one of that id',
  tags,
  request: { params, query: noQuery, body: { content: { 'application/json': { schema: newRule } } } },
  responses: { 200: jsonAnswer('It was changed', rule), 201: jsonAnswer('It is new', rule) },
});

const deleteRule = createRoute({
  method: 'delete',
  path: '/rules/{id}',
  summary: 'Removes a rule',
  tags,
  request: { params, query: noQuery },
  responses: { 204: { description: 'It is there no more' } },
});

export const ruleRoutes = api
  .openapi(described(api, listRules, [400]), async (context) => {
    const directory = tenantDirectory(context.env, context.var.access.tenant);
    const rules = unwrap(await directory.listRules()).map(shown);
    return context.json({ rules }, 200, notStored);
  })
  .openapi(described(api, oneRule, [400, 404]), async (context) => {
    const directory = tenantDirectory(context.env, context.var.access.tenant);
    const { id } = context.req.valid('param');
    const found = unwrap(await directory.listRules()).find((one) => one.id === id);
    if (found === undefined) throw unknownRule();
    return context.json(shown(found), 200, notStored);
  })
  .openapi(described(api, putRule, [400, 413, 415]), async (context) => {
    const { id } = context.req.valid('param');
    const body = parseJson(await readBody(context.req.raw, ['application/json'], MAX_RULE_BYTES));
    const given = checkStorable(id, body);
    const directory = tenantDirectory(context.env, context.var.access.tenant);
    const isNew = unwrap(await directory.putRule(given));
    return context.json(shown(given), isNew ? 201 : 200, notStored);
  })
  .openapi(described(api, deleteRule, [400, 404]), async (context) => {
    const directory = tenantDirectory(context.env, context.var.access.tenant);
    if (!unwrap(await directory.removeRule(context.req.valid('param').id))) throw unknownRule();
    return context.body(null, 204);
  });

/** @throws MillraceError `routing.invalid`, `pattern.invalid` */
function checkStorable(id: string, body: unknown): RoutingRule {
  const fields = typeof body === 'object' && body !== null && !Array.isArray(body) ? body : undefined;
  const checked = checkRule(fields === undefined ? body : { ...fields, id });
  if (checked.target.startsWith(SUBSCRIPTION_TARGET))
    throw routingInvalid(
      '/target',
      checked.target,
      'must be no subscription: what one is for is its own event_types or pattern, so make one with this condition',
    );
  new EventRouter({ onWarning: () => undefined }).addRule(checked);
  return checked;
}

/** Plain JSON: what a rule leaves open is left out. */
function shown(given: RoutingRule): z.output<typeof rule> {
  return JSON.parse(JSON.stringify(given)) as z.output<typeof rule>;
}

function unknownRule() {
  return refusal({ code: 'routing.unknown', detail: 'there is no rule of this id' });
}
