/**
 * The one place where it is decided who may do what: the key behind a request, what it may do, from where, and how often.
 * No key, no data: a deployment that has no keys refuses all but its own description.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { hostPorts } from '../../../src/ports.ts';
import type { EdgeBindings } from '../environment.ts';
import { logFailure } from '../failure-log.ts';
import { refusal } from '../problem.ts';
import { accessTo, type Access } from './access-table.ts';
import { isPublishable, type KeyRecord } from './api-key.ts';
import { clientOf } from './client-address.ts';
import { ConfigurationError } from './configured-keys.ts';
import { configuredKeys, findById, findByKey } from './key-ring.ts';
import { readLiveToken } from './live-token.ts';
import { RateLimiter, rateHeaders } from './rate-limit.ts';

const LIVE = 'GET /events/live';
const HOW_TO =
  'make one with `npm run key -- --scopes admin` and put the line that it prints into the secret MILLRACE_KEYS';

/** Look-ups in the directory that one address may cause: it is one object, and who asks may have no key at all. */
const LOOK_UPS = { requestsPerSecond: 10, burst: 100 } as const;

const limiter = new RateLimiter(hostPorts);
const lookUps = new RateLimiter(hostPorts);

export const authorize: MiddlewareHandler<EdgeBindings> = async (context, next) => {
  const route = routeOf(context);
  const access = route === undefined ? 'anyone' : accessTo(route);
  if (access === 'anyone') return next();
  const key = await identify(context, route!);
  const origin = checkOrigin(context, key);
  checkScope(key, access, route!);
  const rate = checkRate(context, key);
  context.set('access', key);
  await next();
  // Not by Hono's `header`, which makes the answer anew once it stands.
  const { headers } = context.res;
  for (const [name, value] of Object.entries(rate)) headers.set(name, value);
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  if (origin === undefined) return;
  headers.set('access-control-allow-origin', origin);
  headers.append('vary', 'origin');
};

/** What answers the request, as the table names it; none where nothing does. */
function routeOf(context: Context): string | undefined {
  const method = context.req.method === 'HEAD' ? 'GET' : context.req.method;
  const route = matchedRoutes(context).find((matched) => matched.method === method);
  return route && `${method} ${route.path}`;
}

async function identify(context: Context<EdgeBindings>, route: string): Promise<KeyRecord> {
  checkConfigured(context);
  const found = await present(context, route);
  if (found !== undefined) return found;
  const challenge = { 'www-authenticate': 'Bearer realm="millrace"' };
  if (configuredKeys(context.env).length === 0)
    throw refusal({
      code: 'access.unconfigured',
      detail: `this deployment has no keys: ${HOW_TO}`,
      headers: challenge,
    });
  if (!isGiven(context))
    throw refusal({
      code: 'access.missing',
      detail: 'send an API key as `authorization: Bearer <key>`',
      headers: challenge,
    });
  throw refusal({
    code: 'access.unknown',
    detail:
      'the key, or the live token, is none of this deployment: it was mistyped, revoked, or has expired',
    headers: { 'www-authenticate': 'Bearer realm="millrace", error="invalid_token"' },
  });
}

function checkConfigured(context: Context<EdgeBindings>): void {
  try {
    configuredKeys(context.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    logFailure('MILLRACE_KEYS', error);
    throw refusal({
      code: 'access.unconfigured',
      detail: `the deployment's keys cannot be read: ${error.message}`,
    });
  }
}

/** A header is the rule. In an address stand only what is public anyway, and what opens a live stream for minutes. */
async function present(
  { req, env }: Context<EdgeBindings>,
  route: string,
): Promise<KeyRecord | undefined> {
  const admit = (): void => checkLookUps(clientOf(req.header('cf-connecting-ip')));
  const bearer = bearerOf(req.header('authorization'));
  if (bearer !== undefined) return findByKey(env, bearer, admit);
  const token = req.query('token');
  if (token !== undefined && route === LIVE)
    return readLiveToken(token, hostPorts.now(), (id) => findById(env, id, admit));
  const key = req.query('key');
  const found = key === undefined ? undefined : await findByKey(env, key, admit);
  return found !== undefined && isPublishable(found) ? found : undefined;
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S{1,256})$/i.exec(header ?? '')?.[1];
}

function isGiven({ req }: Context): boolean {
  return [req.header('authorization'), req.query('token'), req.query('key')].some(Boolean);
}

/**
 * What to answer for the page that asks, where its key has a list of them. Nobody but a browser tells the truth of it:
 * it keeps other sites' pages from using a key, and nothing more.
 */
function checkOrigin({ req }: Context, { origins }: KeyRecord): string | undefined {
  const origin = req.header('origin');
  if (origins === undefined || origin === undefined) return undefined;
  if (origins.includes(origin)) return origin;
  throw refusal({
    code: 'access.origin',
    detail: `pages of ${origin.slice(0, 200)} may not use this key`,
  });
}

function checkScope({ scopes }: KeyRecord, access: Exclude<Access, 'anyone'>, route: string): void {
  if (access.some((scope) => scopes.includes(scope))) return;
  throw refusal({
    code: 'access.refused',
    detail: `${route} needs a key with the scope ${access.join(' or ')}, this one has ${scopes.join(' and ')}`,
  });
}

/** What is sent is not said to be a key or none: it was not looked up. */
function checkLookUps(client: string): void {
  const { allowed, retryAfterMs } = lookUps.take(client, LOOK_UPS);
  if (allowed) return;
  throw refusal({
    code: 'access.limited',
    detail: 'too many keys from this address had to be looked up: try again later',
    headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) },
  });
}

/** What the answer is to say of it. */
function checkRate(context: Context, { id, limits }: KeyRecord): Record<string, string> {
  const rate = limiter.take(`${id} ${clientOf(context.req.header('cf-connecting-ip'))}`, limits);
  const headers = rateHeaders(rate);
  if (rate.allowed) return headers;
  throw refusal({
    code: 'access.limited',
    detail: `this key may make ${rate.requestsPerSecond} requests a second from one address`,
    headers: { ...headers, 'retry-after': String(Math.ceil(rate.retryAfterMs / 1000)) },
  });
}
