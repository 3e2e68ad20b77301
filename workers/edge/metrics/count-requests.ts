/** Counts each request once its answer stands, and tells the directory now and then. */
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { hostClock, hostPorts } from '../../../src/ports.ts';
import { MAIN_TENANT } from '../access/api-key.ts';
import { tenantDirectory } from '../access/directory-of.ts';
import type { EdgeBindings, Env } from '../environment.ts';
import { logFailure } from '../failure-log.ts';
import { unwrap } from '../shard-calls.ts';
import { RequestCounts } from './request-counts.ts';

const counts = new RequestCounts(() => hostPorts.now());

type Requested = Context<EdgeBindings>;

/** Outermost, so that it sees the answer as it is sent. */
export const countRequests: MiddlewareHandler<EdgeBindings> = async (context, next) => {
  const start = hostClock();
  await next();
  const tenant = tenantOf(context);
  counts.count(tenant, {
    route: routeOf(context),
    status: context.res.status,
    ms: hostClock() - start,
  });
  if (counts.due(tenant)) reportInBackground(context, tenant);
};

/** To be called with the events of a request that are not taken, each once. */
export function countRejected(context: Requested, code: string, events: number): void {
  counts.reject(tenantOf(context), code, events);
}

/** Brings what this isolate has counted to the tenant's directory. */
export function reportRequests(env: Env, tenant: string): Promise<void> {
  return counts.report(tenant, async (families) => {
    unwrap(await tenantDirectory(env, tenant).addCounts(families));
  });
}

/** Whoever has shown no key counts with the main tenant. */
function tenantOf(context: Requested): string {
  const access: EdgeBindings['Variables']['access'] | undefined = context.get('access');
  return access?.tenant ?? MAIN_TENANT;
}

function routeOf(context: Requested): string {
  const method = context.req.method === 'HEAD' ? 'GET' : context.req.method;
  const route = matchedRoutes(context).find((matched) => matched.method === method);
  return route === undefined ? 'other' : `${method} ${route.path}`;
}

/** What fails is told, and goes with the next report. A caller without an execution context waits for a reading. */
function reportInBackground(context: Requested, tenant: string): void {
  let wait: (promise: Promise<void>) => void;
  try {
    const { executionCtx } = context;
    wait = (promise) => executionCtx.waitUntil(promise);
  } catch {
    return;
  }
  const report = reportRequests(context.env, tenant);
  wait(report.catch((error: unknown) => logFailure('request counts', error)));
}
