/** The sync routes: `src/sync/protocol.ts` over HTTP. */
import { Hono } from 'hono';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { hostPorts } from '../../../src/ports.ts';
import { formatCursor } from '../../../src/storage/cursor.ts';
import { decodePush, pushLimits, syncPaths, type Push } from '../../../src/sync/protocol.ts';
import type { EdgeBindings } from '../environment.ts';
import { checkLine } from '../pushed-line.ts';
import { parseQuery } from '../parse.ts';
import { refusal } from '../problem.ts';
import { readBody } from '../request-body.ts';
import { headQuery, pullQuery } from '../schema.ts';
import { unwrap } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';

/** `text/plain` is what a page can send without asking first, as with `navigator.sendBeacon`. */
const ndjson = ['application/x-ndjson', 'application/ndjson', 'text/plain'];

interface Rejected {
  /** Among the push's lines, from 0. */
  readonly index: number;
  readonly reason: string;
}

export const syncRoutes = new Hono<EdgeBindings>()
  .post(syncPaths.push, async (context) => {
    const push = decodePush(await readBody(context.req.raw, ndjson));
    parseQuery(headQuery, { producer: push.producer });
    const lines = checkPush(push);
    const { producer, epoch, seq, count } = push;
    const outcome = unwrap(await shardOf(context.env).push({ producer, epoch, seq, count, lines }));
    if ('conflicts' in outcome)
      throw refused(outcome.conflicts.map((index) => ({ index, reason: CONFLICT })));
    return context.json({ ...outcome, time: formatTimestamp(hostPorts.now()) });
  })
  .get(syncPaths.head, async (context) => {
    const { producer } = parseQuery(headQuery, context.req.query());
    const { epoch, seq } = unwrap(await shardOf(context.env).producerHead(producer));
    return context.json({ epoch, seq });
  })
  .get(syncPaths.pull, async (context) => {
    const { after, limit } = parseQuery(pullQuery, context.req.query());
    const { lines, next, head, more } = unwrap(await shardOf(context.env).page({ after, limit }));
    const header = JSON.stringify({ next: formatCursor(next), head: formatCursor(head), more });
    return context.body([header, ...lines, ''].join('\n'), 200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
    });
  });

const CONFLICT = 'its id is known with other content';

/** The lines to be stored. @throws HTTPException that lists every line which cannot be */
function checkPush({ lines }: Push): readonly string[] {
  if (lines.length > pushLimits.events) {
    const details = { limit: 'push.events', maximum: pushLimits.events, actual: lines.length };
    const detail = `the push has ${lines.length} events, the limit is ${pushLimits.events}: split it`;
    throw refusal({ code: 'limit.exceeded', detail, more: { details } });
  }
  const rejected: Rejected[] = [];
  const accepted: string[] = [];
  for (const [index, line] of lines.entries()) {
    const checked = checkLine(line);
    if ('line' in checked) accepted.push(checked.line);
    else rejected.push({ index, reason: checked.reason });
  }
  if (rejected.length > 0) throw refused(rejected);
  return accepted;
}

function refused(rejected: readonly Rejected[]) {
  return refusal({
    code: 'sync.refused',
    detail: `${rejected.length} of the events cannot be stored; nothing of the push was stored`,
    more: { rejected },
  });
}
