/** The events of the log: one by id, the latest of a type, those of a correlation, and all of them by cursor. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { base64Url } from '../access/api-key.ts';
import { eventList, eventPage, storedEvent } from '../answers.ts';
import type { EdgeBindings } from '../environment.ts';
import { refusal } from '../problem.ts';
import { eventsQuery, latestQuery, noQuery, pageQuery } from '../schema.ts';
import { logOf } from '../sharding/log-of.ts';
import type { LogPage } from '../sharding/sharded-log.ts';
import { createApi, described, jsonAnswer, notStored, rawJson } from './api.ts';
import { filterOf } from './filter-of.ts';

const api = createApi();
const tags = ['Events'];
const id = z.object({ id: z.string() });
/** Of this client alone: an event is as it was captured, for ever. */
const IMMUTABLE = 'private, max-age=31536000, immutable';

const listEvents = createRoute({
  method: 'get',
  path: '/events',
  summary: 'All events by cursor, or those that are asked for',
  tags,
  request: { query: eventsQuery },
  responses: { 200: jsonAnswer('A page', eventPage) },
});

const latestOfType = createRoute({
  method: 'get',
  path: '/events/type/{type}',
  summary: 'The latest of a type, newest first',
  tags,
  request: { params: z.object({ type: z.string() }), query: latestQuery },
  responses: { 200: jsonAnswer('The events', eventList) },
});

const ofCorrelation = createRoute({
  method: 'get',
  path: '/events/correlation/{id}',
  summary: 'What belongs together, in order',
  tags,
  request: { params: id, query: pageQuery },
  responses: { 200: jsonAnswer('The events', eventList) },
});

const oneEvent = createRoute({
  method: 'get',
  path: '/events/{id}',
  summary: 'One event, as it was captured',
  tags,
  request: {
    params: id,
    query: noQuery,
    headers: z.object({ 'if-none-match': z.string().optional() }),
  },
  responses: {
    200: jsonAnswer('The event, which never changes', storedEvent),
    304: { description: 'It is the one that you have' },
  },
});

export const eventRoutes = api
  .openapi(described(api, listEvents, [400, 413]), async (context) => {
    const query = context.req.valid('query');
    const { after, before, direction, limit } = query;
    const filter = await filterOf(context, query);
    const log = logOf(context.env, context.var.access.tenant);
    return pageJson(context, await log.page({ after, before, direction, limit }, { filter }));
  })
  .openapi(described(api, latestOfType, [400]), async (context) => {
    const { before, limit } = context.req.valid('query');
    const types = [context.req.valid('param').type];
    const log = logOf(context.env, context.var.access.tenant);
    return listJson(context, await log.page({ types, before, limit, direction: 'backward' }));
  })
  .openapi(described(api, ofCorrelation, [400]), async (context) => {
    const { after, limit } = context.req.valid('query');
    const correlationId = context.req.valid('param').id;
    const log = logOf(context.env, context.var.access.tenant);
    return listJson(context, await log.page({ correlationId, after, limit }));
  })
  .openapi(described(api, oneEvent, [400, 404]), async (context) => {
    const log = logOf(context.env, context.var.access.tenant);
    const line = await log.event(context.req.valid('param').id);
    if (line === undefined) throw refusal({ code: 'request.not-found', detail: 'no event has this id' });
    const etag = `"${await digest(line)}"`;
    const headers = { etag, 'cache-control': IMMUTABLE, vary: 'authorization' };
    if (isKnown(context.req.header('if-none-match'), etag)) return context.body(null, 304, headers);
    return rawJson<z.output<typeof storedEvent>>(context, line, headers);
  });

export function pageJson(context: Context<EdgeBindings>, page: LogPage) {
  const { next, head, more } = page;
  return eventsJson<typeof eventPage>(context, page, {
    next,
    head,
    more,
  });
}

/** `next` only where there is more: to go on from. */
function listJson(context: Context<EdgeBindings>, page: LogPage) {
  const next = page.more ? { next: page.next } : {};
  return eventsJson<typeof eventList>(context, page, { count: page.lines.length, ...next });
}

/** The lines are the events' JSON already: they are joined, not parsed. */
function eventsJson<Schema extends z.ZodType>(
  context: Context,
  { lines }: Pick<LogPage, 'lines'>,
  rest: Readonly<Record<string, unknown>>,
) {
  const json = `{"events":[${lines.join(',')}],${JSON.stringify(rest).slice(1)}`;
  return rawJson<z.output<Schema>>(context, json, notStored);
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return base64Url(new Uint8Array(bytes, 0, 16));
}

/** `If-None-Match` compares weakly (RFC 9110, 13.1.2). */
function isKnown(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}
