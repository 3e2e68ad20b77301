/** The windowed views: which there are, and `GET /windows/events-per-minute`. */
import { createRoute, z } from '@hono/zod-openapi';
import type { TypedResponse } from 'hono';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import type { Count } from '../../../src/windows/count.ts';
import { eventsPerMinute } from '../../../src/windows/events-per-minute.ts';
import type { WindowPage, WindowPageOptions, WindowResult } from '../../../src/windows/windowed-view.ts';
import { windowDefinition, windowResult } from '../answers.ts';
import { noQuery, windowsQuery } from '../schema.ts';
import { logOf } from '../sharding/log-of.ts';
import { createApi, described, jsonAnswer, notStored } from './api.ts';

const api = createApi();

const definitions = createRoute({
  method: 'get',
  path: '/windows',
  summary: 'The windows that are kept',
  tags: ['Windows'],
  request: { query: noQuery },
  responses: {
    200: jsonAnswer(
      'Their definitions',
      z.object({ windows: z.array(windowDefinition) }).openapi('Windows'),
    ),
  },
});

const results = createRoute({
  method: 'get',
  path: `/windows/${eventsPerMinute.name}`,
  summary: 'Events per type and minute of event time, late ones counted where they belong',
  tags: ['Windows'],
  request: { query: windowsQuery },
  responses: { 200: jsonAnswer('The windows', z.array(windowResult)) },
});

type Results = TypedResponse<z.output<typeof windowResult>[], 200, 'json'> & Response;

const listed: z.output<typeof windowDefinition> = {
  name: eventsPerMinute.name,
  path: results.path,
  size_ms: eventsPerMinute.sizeMs,
  offset_ms: eventsPerMinute.offsetMs ?? 0,
  key: 'type',
  aggregation: 'count',
};

export const windowRoutes = api
  .openapi(described(api, definitions, [400]), (context) =>
    context.json({ windows: [listed] }, 200, notStored),
  )
  .openapi(described(api, results, [400]), async (context) => {
    const range = context.req.valid('query');
    const log = logOf(context.env, context.var.access.tenant);
    const read = (options: WindowPageOptions) => log.windows(options);
    // The first page is read before the answer begins, so that a failure is still a problem and no broken array.
    const first = await read(range);
    const array = jsonArray(first, (after) => read({ ...range, after }));
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    return context.body(array, 200, headers) as Response as Results;
  });

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
