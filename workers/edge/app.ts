/**
 * The edge's HTTP interface. Requests are read, checked and answered here; what is stored and read is a shard's.
 * Every refusal is problem details: see `problem.ts`.
 */
import { z } from '@hono/zod-openapi';
import type { Hono } from 'hono';
import type { ExtractSchema } from 'hono/types';
import { authorize } from './access/authorize.ts';
import { answerHeaders } from './answer-headers.ts';
import { DOCS_POLICY, docsPage } from './docs-page.ts';
import type { EdgeBindings } from './environment.ts';
import { countRequests } from './metrics/count-requests.ts';
import { createDocument, type Document } from './openapi.ts';
import { errorResponse, problemResponse } from './problem.ts';
import { createApi } from './routes/api.ts';
import { eventRoutes } from './routes/events.ts';
import { explainRoutes } from './routes/explain.ts';
import { keyRoutes } from './routes/keys.ts';
import { liveRoutes } from './routes/live.ts';
import { metricRoutes } from './routes/metrics.ts';
import { pageKeyRoutes } from './routes/page-keys.ts';
import { publishRoutes } from './routes/publish.ts';
import { ruleRoutes } from './routes/rules.ts';
import { shardRoutes } from './routes/shards.ts';
import { subscriptionDescription } from './routes/subscription-description.ts';
import { subscriptionRoutes } from './routes/subscriptions.ts';
import { syncDescription } from './routes/sync-description.ts';
import { syncRoutes } from './routes/sync.ts';
import { traceRoutes } from './routes/trace.ts';
import { windowRoutes } from './routes/windows.ts';

const DOCUMENT_AGE = 'public, max-age=300';
const api = createApi();

api.use(countRequests, answerHeaders, authorize);

export const app: Hono<EdgeBindings> = api
  .route('/', publishRoutes)
  .route('/', liveRoutes)
  .route('/', eventRoutes)
  .route('/', explainRoutes)
  .route('/', traceRoutes)
  .route('/', syncRoutes)
  .route('/', syncDescription)
  .route('/', windowRoutes)
  .route('/', subscriptionRoutes)
  .route('/', subscriptionDescription)
  .route('/', ruleRoutes)
  .route('/', keyRoutes)
  .route('/', metricRoutes)
  .route('/', shardRoutes)
  .route('/', pageKeyRoutes)
  .openapi(
    {
      method: 'get',
      path: '/health',
      summary: 'Whether the edge answers',
      tags: ['Operation'],
      responses: {
        200: {
          description: 'It does',
          content: { 'application/json': { schema: z.object({ status: z.literal('ok') }) } },
        },
      },
    },
    (context) => context.json({ status: 'ok' as const }, 200),
  )
  .get('/openapi.json', (context) => context.json(document(), 200, { 'cache-control': DOCUMENT_AGE }))
  .get('/docs', async (context) => {
    context.header('cache-control', DOCUMENT_AGE);
    const response = await context.html(docsPage(document()));
    response.headers.set('content-security-policy', DOCS_POLICY);
    return response;
  });

let made: Document | undefined;
function document(): Document {
  made ??= createDocument(api);
  return made;
}

const methods = new Map<string, Set<string>>();
for (const { path, method } of app.routes) {
  if (method === 'ALL') continue;
  methods.set(path, (methods.get(path) ?? new Set()).add(method));
}
for (const [path, allowed] of methods) {
  const allow = [...allowed, ...(allowed.has('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  app.all(path, ({ req }) =>
    problemResponse({
      code: 'request.method',
      detail: `${req.method} is not one of ${allow}`,
      headers: { allow },
    }),
  );
}

app.notFound(() =>
  problemResponse({ code: 'request.not-found', detail: 'there is nothing at this address' }),
);
app.onError(errorResponse);

/** For Hono's typed client: `hc<EdgeApi>(url)`. */
export type EdgeApi = Hono<
  EdgeBindings,
  ExtractSchema<typeof publishRoutes> &
    ExtractSchema<typeof liveRoutes> &
    ExtractSchema<typeof eventRoutes> &
    ExtractSchema<typeof explainRoutes> &
    ExtractSchema<typeof traceRoutes> &
    ExtractSchema<typeof syncRoutes> &
    ExtractSchema<typeof windowRoutes> &
    ExtractSchema<typeof subscriptionRoutes> &
    ExtractSchema<typeof ruleRoutes> &
    ExtractSchema<typeof keyRoutes> &
    ExtractSchema<typeof metricRoutes> &
    ExtractSchema<typeof shardRoutes>
>;
