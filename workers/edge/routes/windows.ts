/** The windowed views: `GET /windows/events-per-minute`. */
import { Hono } from 'hono';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import type { Count } from '../../../src/windows/count.ts';
import { eventsPerMinute } from '../../../src/windows/events-per-minute.ts';
import type { WindowPage, WindowPageOptions, WindowResult } from '../../../src/windows/windowed-view.ts';
import type { EdgeBindings } from '../environment.ts';
import { parseQuery } from '../parse.ts';
import { windowsQuery } from '../schema.ts';
import { unwrap } from '../shard-calls.ts';
import { shardOf } from '../shard-of.ts';

export const windowRoutes = new Hono<EdgeBindings>().get(
  `/windows/${eventsPerMinute.name}`,
  async (context) => {
    const range = parseQuery(windowsQuery, context.req.query());
    const shard = shardOf(context.env);
    const read = async (options: WindowPageOptions) => unwrap(await shard.windows(options));
    // The first page is read before the answer begins, so that a failure is still a problem and no broken array.
    const first = await read(range);
    return context.body(
      jsonArray(first, (after) => read({ ...range, after })),
      200,
      {
        'content-type': 'application/json',
        'cache-control': 'no-store',
      },
    );
  },
);

/** One array of all pages, each read when the client has taken the one before. */
function jsonArray(
  first: WindowPage<Count>,
  read: (after: WindowPageOptions['after']) => Promise<WindowPage<Count>>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let page = first;
  let opening = '[';
  let after: WindowPageOptions['after'];
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (after !== undefined) page = await read(after);
      const items = page.results.map((result) => JSON.stringify(wireOf(result)));
      after = page.next;
      controller.enqueue(encoder.encode(opening + items.join(',') + (after === undefined ? ']' : '')));
      if (after === undefined) controller.close();
      opening = ',';
    },
  });
}

function wireOf({ window, key, value, revision }: WindowResult<Count>) {
  const { start, end } = window;
  return { window: { start: formatTimestamp(start), end: formatTimestamp(end) }, key, value, revision };
}
