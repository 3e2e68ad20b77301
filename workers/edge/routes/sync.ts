/** The sync routes: `src/sync/protocol.ts` over HTTP. */
import type { z } from '@hono/zod-openapi';
import { Hono, type Context } from 'hono';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { hostDigest, hostPorts } from '../../../src/ports.ts';
import { checkLink } from '../../../src/sync/chain.ts';
import { decodePush, pushLimits, syncPaths, type Push } from '../../../src/sync/protocol.ts';
import type { EdgeBindings } from '../environment.ts';
import { countRejected } from '../metrics/count-requests.ts';
import { checkLine } from '../pushed-line.ts';
import { parseQuery } from '../parse.ts';
import { refusal } from '../problem.ts';
import { readBody } from '../request-body.ts';
import { headQuery, pullQuery, pushQuery } from '../schema.ts';
import { logOf } from '../sharding/log-of.ts';
import { traceAccepted } from '../tracing.ts';
import { takes } from './api.ts';

/** `text/plain` is what a page can send without asking first, as with `navigator.sendBeacon`. */
const ndjson = ['application/x-ndjson', 'application/ndjson', 'text/plain'];

interface Rejected {
  /** Among the push's lines, from 0. */
  readonly index: number;
  readonly reason: string;
}

export const syncRoutes = new Hono<EdgeBindings>()
  .post(syncPaths.push, async (context) => {
    const startMs = hostPorts.now();
    parseQuery(pushQuery, context.req.query());
    const { limits } = context.var.access;
    const push = decodePush(await readBody(context.req.raw, ndjson, limits?.bodyBytes));
    parseQuery(headQuery, { producer: push.producer });
    // First of all: what was altered on the way is sent again, and no event is given up for it.
    await checkLink(hostDigest!, push);
    const { lines, rejected } = checkPush(push, Math.min(limits?.events ?? Infinity, pushLimits.events));
    if (rejected.length > 0) throw refused(context, rejected);
    const outcome = await logOf(context.env, context.var.access.tenant).push({ ...push, lines });
    if ('conflicts' in outcome)
      throw refused(
        context,
        outcome.conflicts.map((index) => ({ index, reason: CONFLICT })),
      );
    traceAccepted(context, { lines, startMs, route: syncPaths.push });
    return context.json({ ...outcome, time: formatTimestamp(hostPorts.now()) });
  })
  .get(syncPaths.head, takes<{ query: z.input<typeof headQuery> }>(), async (context) => {
    const { producer } = parseQuery(headQuery, context.req.query());
    const { epoch, seq } = await logOf(context.env, context.var.access.tenant).producer(producer);
    return context.json({ epoch, seq });
  })
  .get(`${syncPaths.producers}/:producer`, async (context) => {
    const query = parseQuery(headQuery, { ...context.req.query(), ...context.req.param() });
    return context.json(await logOf(context.env, context.var.access.tenant).producer(query.producer));
  })
  .delete(`${syncPaths.producers}/:producer`, async (context) => {
    const query = parseQuery(headQuery, { ...context.req.query(), ...context.req.param() });
    return context.json(
      await logOf(context.env, context.var.access.tenant).forgetProducer(query.producer),
    );
  })
  .get(syncPaths.pull, takes<{ query: z.input<typeof pullQuery> }>(), async (context) => {
    const { after, limit } = parseQuery(pullQuery, context.req.query());
    const { lines, next, head, more } = await logOf(context.env, context.var.access.tenant).page({
      after,
      limit,
    });
    const header = JSON.stringify({ next, head, more });
    return context.body([header, ...lines, ''].join('\n'), 200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
    });
  });

const CONFLICT = 'its id is known with other content';

/** The lines to be stored, and those that cannot be. @throws HTTPException where they are too many */
function checkPush({ lines }: Push, maximum: number): CheckedPush {
  if (lines.length > maximum) {
    const details = { limit: 'push.events', maximum, actual: lines.length };
    const detail = `the push has ${lines.length} events, the limit is ${maximum}: split it`;
    throw refusal({ code: 'limit.exceeded', detail, more: { details } });
  }
  const rejected: Rejected[] = [];
  const accepted: string[] = [];
  for (const [index, line] of lines.entries()) {
    const checked = checkLine(line);
    if ('line' in checked) accepted.push(checked.line);
    else rejected.push({ index, reason: checked.reason });
  }
  return { lines: accepted, rejected };
}

interface CheckedPush {
  readonly lines: readonly string[];
  readonly rejected: readonly Rejected[];
}

function refused(context: Context<EdgeBindings>, rejected: readonly Rejected[]) {
  countRejected(context, 'sync.refused', rejected.length);
  return refusal({
    code: 'sync.refused',
    detail: `${rejected.length} of the events cannot be stored; nothing of the push was stored`,
    more: { rejected },
  });
}
