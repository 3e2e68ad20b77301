/**
 * The edge's HTTP interface. Requests are read, checked and answered here; what is stored and read is a shard's.
 * Every refusal is problem details: see `problem.ts`.
 */
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import type { EdgeBindings } from './environment.ts';
import { errorResponse, problemResponse } from './problem.ts';
import { eventRoutes } from './routes/events.ts';
import { publishRoutes } from './routes/publish.ts';
import { syncRoutes } from './routes/sync.ts';
import { windowRoutes } from './routes/windows.ts';

export const app = new Hono<EdgeBindings>()
  .use(
    cors({
      origin: '*',
      allowMethods: ['GET', 'HEAD', 'POST'],
      allowHeaders: ['content-type', 'last-event-id'],
      exposeHeaders: ['retry-after', 'allow'],
      maxAge: 86_400,
    }),
  )
  .route('/', publishRoutes)
  .route('/', eventRoutes)
  .route('/', syncRoutes)
  .route('/', windowRoutes)
  .get('/health', (context) => context.json({ status: 'ok' }));

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
