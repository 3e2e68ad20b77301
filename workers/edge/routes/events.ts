/** The events of the log: one by id, the latest of a type, those of a correlation, all of them by cursor, and live. */
import { Hono, type Context } from 'hono';
import { formatCursor } from '../../../src/storage/cursor.ts';
import type { EdgeBindings } from '../environment.ts';
import { parseQuery } from '../parse.ts';
import { problemResponse } from '../problem.ts';
import { latestQuery, liveQuery, noQuery, pageQuery } from '../schema.ts';
import { unwrap, type LinePage } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';

export const eventRoutes = new Hono<EdgeBindings>()
  .get('/events', async (context) => {
    const { after, limit } = parseQuery(pageQuery, context.req.query());
    const page = unwrap(await shardOf(context.env).page({ after, limit }));
    const { next, head, more } = page;
    return eventsJson(context, page, { next: formatCursor(next), head: formatCursor(head), more });
  })
  .get('/events/live', async (context) => {
    // A browser that reconnects asks for the same address, and says in the header how far it came.
    const lastId = context.req.header('last-event-id');
    const resumed = lastId ? { after: lastId } : {};
    const query = parseQuery(liveQuery, { ...context.req.query(), ...resumed });
    const url = new URL('https://shard/live');
    if (query.after !== undefined) url.searchParams.set('after', String(query.after));
    const { headers, body } = await shardOf(context.env).fetch(
      new Request(url, { signal: context.req.raw.signal }),
    );
    if (context.req.method !== 'HEAD') return new Response(body, { headers });
    await body?.cancel();
    return new Response(null, { headers });
  })
  .get('/events/type/:type', async (context) => {
    const { before, limit } = parseQuery(latestQuery, context.req.query());
    const types = [context.req.param('type')];
    const page = unwrap(
      await shardOf(context.env).page({ types, before, limit, direction: 'backward' }),
    );
    return eventsJson(context, page, { count: page.lines.length, ...nextOf(page) });
  })
  .get('/events/correlation/:id', async (context) => {
    const { after, limit } = parseQuery(pageQuery, context.req.query());
    const page = unwrap(
      await shardOf(context.env).page({ correlationId: context.req.param('id'), after, limit }),
    );
    return eventsJson(context, page, { count: page.lines.length, ...nextOf(page) });
  })
  .get('/events/:id', async (context) => {
    parseQuery(noQuery, context.req.query());
    const line = unwrap(await shardOf(context.env).event(context.req.param('id')));
    if (line !== undefined) return context.body(line, 200, { 'content-type': 'application/json' });
    return problemResponse({ code: 'request.not-found', detail: 'no event has this id' });
  });

/** Only where there is more: to go on from. */
function nextOf({ more, next }: LinePage): { next?: string } {
  return more ? { next: formatCursor(next) } : {};
}

/** The lines are the events' JSON already: they are joined, not parsed. */
function eventsJson(
  context: Context,
  { lines }: LinePage,
  rest: Readonly<Record<string, unknown>>,
): Response {
  const body = `{"events":[${lines.join(',')}],${JSON.stringify(rest).slice(1)}`;
  return context.body(body, 200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
}
