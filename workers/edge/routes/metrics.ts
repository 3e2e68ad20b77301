/**
 * `GET /metrics`: what can be counted of a tenant. Prometheus' text format (version 0.0.4), OpenMetrics, or JSON, by
 * `Accept`. Prometheus sends its key as a bearer token: see `ops/prometheus`.
 */
import { createRoute, z } from '@hono/zod-openapi';
import {
  chooseFormat,
  formatOpenMetrics,
  formatPrometheus,
  OPEN_METRICS_TYPE,
  PROMETHEUS_TYPE,
} from '../../../src/monitor/exposition.ts';
import type { MetricFamily } from '../../../src/monitor/metric.ts';
import { readTenantMetrics } from '../metrics/tenant-metrics.ts';
import { noQuery } from '../schema.ts';
import { createApi, described } from './api.ts';

const api = createApi();

const histogram = z.object({
  bounds: z.array(z.number()),
  counts: z.array(z.number()),
  sum: z.number(),
});

const family = z
  .object({
    name: z.string(),
    help: z.string(),
    type: z.enum(['counter', 'gauge', 'histogram']),
    samples: z.array(
      z.object({
        labels: z.record(z.string(), z.string()),
        value: z.number().optional(),
        histogram: histogram.optional(),
      }),
    ),
  })
  .openapi('Metric');

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Metrics, for Prometheus',
  tags: ['Operation'],
  request: { query: noQuery },
  responses: {
    200: {
      description: 'The metrics, in the format that `Accept` asks for',
      content: {
        'text/plain': { schema: z.string() },
        'application/openmetrics-text': { schema: z.string() },
        'application/json': { schema: z.object({ metrics: z.array(family) }) },
      },
    },
  },
});

export const metricRoutes = api.openapi(described(api, metrics, [400]), async (context) => {
  const families = await readTenantMetrics(context.env, context.var.access.tenant);
  const headers = { 'cache-control': 'no-store', vary: 'accept' };
  const format = chooseFormat(context.req.header('accept'));
  if (format === 'json') return context.json({ metrics: writable(families) }, 200, headers);
  const [text, type] =
    format === 'prometheus'
      ? [formatPrometheus(families), PROMETHEUS_TYPE]
      : [formatOpenMetrics(families), OPEN_METRICS_TYPE];
  return context.text(text, 200, { ...headers, 'content-type': type });
});

/** As the description has it. */
function writable(families: readonly MetricFamily[]): z.infer<typeof family>[] {
  return families as unknown as z.infer<typeof family>[];
}
