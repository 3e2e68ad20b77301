/** `GET /metrics`: what can be counted of a tenant's log, in Prometheus' text format (version 0.0.4). */
import { createRoute, z } from '@hono/zod-openapi';
import { noQuery } from '../schema.ts';
import type { ShardStats } from '../shard-calls.ts';
import { logOf } from '../sharding/log-of.ts';
import { createApi, described } from './api.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const api = createApi();

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Counts, for Prometheus',
  tags: ['Operation'],
  request: { query: noQuery },
  responses: { 200: { description: 'The counts', content: { 'text/plain': { schema: z.string() } } } },
});

/** A gauge of the shard, and what it says. */
const gauges: readonly (readonly [name: string, help: string, read: (stats: ShardStats) => number])[] = [
  ['millrace_log_events', 'Events that can be read.', ({ events }) => events],
  ['millrace_log_characters', 'Characters of their lines.', ({ bytes }) => bytes],
  ['millrace_log_segments', 'Rows that hold them.', ({ segments }) => segments],
  ['millrace_log_head', 'The last position that was given.', ({ head }) => head],
  ['millrace_log_trimmed', 'The last position that was trimmed.', ({ trimmed }) => trimmed],
  ['millrace_rows_written', 'Rows since it was last woken.', ({ rowsWritten }) => rowsWritten],
  ['millrace_live_sockets', 'Open WebSockets of live readers.', ({ sockets }) => sockets],
];

export const metricRoutes = api.openapi(described(api, metrics, [400]), async (context) => {
  const shards = await logOf(context.env, context.var.access.tenant).stats();
  const lines = gauges.map(([name, help, read]) => {
    const values = shards.map(
      ([shard, stats]) => `${name}{shard="${shard.replace('shard-', '')}"} ${read(stats)}\n`,
    );
    return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${values.join('')}`;
  });
  return context.text(lines.join(''), 200, {
    'content-type': CONTENT_TYPE,
    'cache-control': 'no-store',
  });
});
