/**
 * What every answer carries beside its own headers: the request's id, what browsers are to make of it, and how often the
 * key may ask. One pass over one list, once the answer stands: what sets headers one by one on the way has the runtime
 * make the answer anew for each.
 */
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { EdgeBindings } from './environment.ts';

const ALLOWED_HEADERS = [
  'authorization',
  'content-type',
  'idempotency-key',
  'if-none-match',
  'last-event-id',
  'traceparent',
  'tracestate',
];
const EXPOSED_HEADERS = [
  'allow',
  'etag',
  'idempotency-replayed',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'x-request-id',
];

const EVERY_ANSWER: readonly (readonly [name: string, value: string])[] = [
  // Any page may ask, for what it is told is decided by its key: see `authorize`, which narrows this to a key's origins.
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', EXPOSED_HEADERS.join(',')],
  // OWASP's list for an API whose answers are no pages (https://owasp.org/www-project-secure-headers/).
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['cross-origin-opener-policy', 'same-origin'],
  ['origin-agent-cluster', '?1'],
  ['referrer-policy', 'no-referrer'],
  ['strict-transport-security', 'max-age=15552000; includeSubDomains'],
  ['x-content-type-options', 'nosniff'],
  ['x-dns-prefetch-control', 'off'],
  ['x-download-options', 'noopen'],
  ['x-frame-options', 'SAMEORIGIN'],
  ['x-permitted-cross-domain-policies', 'none'],
  ['x-xss-protection', '0'],
];

const preflight = cors({
  origin: '*',
  allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowHeaders: ALLOWED_HEADERS,
  exposeHeaders: EXPOSED_HEADERS,
  maxAge: 86_400,
});

/** Ids that are safe to be written anywhere. */
const REQUEST_ID = /^[\w\-=]{1,255}$/;

export const answerHeaders: MiddlewareHandler<EdgeBindings> = async (context, next) => {
  const brought = context.req.header('x-request-id') ?? '';
  const requestId = REQUEST_ID.test(brought) ? brought : crypto.randomUUID();
  context.set('requestId', requestId);
  const preflighted = context.req.method === 'OPTIONS' ? await preflight(context, next) : await next();
  if (preflighted instanceof Response) context.res = preflighted;
  const { headers } = context.res;
  headers.set('x-request-id', requestId);
  for (const [name, value] of EVERY_ANSWER) if (!headers.has(name)) headers.set(name, value);
};
