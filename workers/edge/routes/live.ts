/**
 * The live stream, from any cursor, of all events or those that are asked for: server-sent events, a WebSocket where the
 * request asks for an upgrade, or with `?wait=` one page as soon as there is an event. And the tokens to open it with.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { hasCode } from '../../../src/errors.ts';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { hostPorts } from '../../../src/ports.ts';
import { createLiveToken } from '../access/live-token.ts';
import { eventPage, liveToken } from '../answers.ts';
import type { EdgeBindings } from '../environment.ts';
import type { EventFilter } from '../event-filter.ts';
import { answeredLive, isUpgrade, liveRequest } from '../live-request.ts';
import { parseQuery } from '../parse.ts';
import { liveQuery, noQuery } from '../schema.ts';
import { logOf } from '../sharding/log-of.ts';
import { mergedEvents, mergedSocket } from '../sharding/merged-live.ts';
import type { ShardedLog } from '../sharding/sharded-log.ts';
import { parseVector } from '../sharding/vector-cursor.ts';
import { createApi, described, jsonAnswer, notStored } from './api.ts';
import { pageJson } from './events.ts';
import { filterOf } from './filter-of.ts';

const api = createApi();
const tags = ['Live'];

const live = createRoute({
  method: 'get',
  path: '/events/live',
  summary: 'Events as they come, from a cursor or from now',
  description:
    'Server-sent events: each has its cursor as its id, and `Last-Event-ID` resumes after it. Over WebSocket the first ' +
    'frame is `{"cursor"}`, and each event is `{"cursor","event"}`; say `{"ack":"<cursor>"}` at least every 1,000 events, ' +
    'or the stream waits and says so with `{"cursor","waiting":true}`. With `?wait=` one page is answered, as soon as it ' +
    'holds an event. Where no header can be sent, `?token=` takes one of `POST /live-tokens`.',
  tags,
  request: {
    query: liveQuery,
    headers: z.object({ 'last-event-id': z.string().optional() }),
  },
  responses: {
    101: { description: 'The stream goes on as a WebSocket' },
    200: {
      description: 'The stream; with `?wait=`, a page',
      content: {
        'text/event-stream': { schema: z.string() },
        'application/json': { schema: eventPage },
      },
    },
  },
});

const newToken = createRoute({
  method: 'post',
  path: '/live-tokens',
  summary: 'A token that opens the live stream for ten minutes',
  tags,
  request: { query: noQuery },
  responses: { 201: jsonAnswer('The token', liveToken) },
});

described(api, live, [400, 413]);

export const liveRoutes = api
  .openapi(described(api, newToken, [400]), async (context) => {
    const { token, expiresAt } = await createLiveToken(context.var.access, hostPorts.now());
    return context.json({ token, expires_at: formatTimestamp(expiresAt) }, 201, notStored);
  })
  .get('/events/live', async (context) => {
    // A browser that reconnects asks for the same address, and says in the header how far it came.
    const lastId = context.req.header('last-event-id');
    const { wait, after, limit, ...choice } = parseQuery(liveQuery, {
      ...queryOf(context),
      ...(lastId && { after: lastId }),
    });
    const filter = await filterOf(context, choice);
    if (wait === undefined) return stream(context, filter, after);
    const log = logOf(context.env, context.var.access.tenant);
    const from = after ?? (await log.head());
    const options = { filter, waitMs: wait * 1000 };
    return pageJson(context, await log.page({ after: from, limit }, options));
  });

async function stream(
  context: Context<EdgeBindings>,
  filter: EventFilter,
  after: string | undefined,
): Promise<Response> {
  const log = logOf(context.env, context.var.access.tenant);
  const { raw, method } = context.req;
  const { headers, body, webSocket } = await openStream(log, raw, { filter, after });
  if (webSocket && isUpgrade(raw)) return new Response(null, { status: 101, webSocket });
  if (method !== 'HEAD') return new Response(body, { headers });
  await body?.cancel();
  return new Response(null, { headers });
}

/** One shard serves its readers itself; of several, or of one that was followed by others, they are served here. */
async function openStream(
  log: ShardedLog,
  request: Request,
  wanted: { readonly filter: EventFilter; readonly after: string | undefined },
): Promise<Response> {
  const { filter, after } = wanted;
  const at = after === undefined ? undefined : parseVector(after);
  if (log.single !== undefined && (at === undefined || (at.epoch === 0 && at.positions.length === 1))) {
    try {
      return await answeredLive(
        log.single.fetch(liveRequest({ after: at?.positions[0], filter }, request)),
      );
    } catch (error) {
      if (!hasCode(error, 'shard.sealed')) throw error;
    }
  }
  if (log.single !== undefined) await log.refresh();
  const merged = { ...wanted, ports: hostPorts };
  if (isUpgrade(request)) return mergedSocket(log, merged);
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
  return new Response(await mergedEvents(log, merged), { headers });
}

/** What is given more than once as a list. */
function queryOf(context: Context): Record<string, string | string[]> {
  const queries = Object.entries(context.req.queries());
  return Object.fromEntries(
    queries.map(([name, values]) => [name, values.length > 1 ? values : values[0]!]),
  );
}
