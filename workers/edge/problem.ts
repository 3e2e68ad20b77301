/**
 * Problem details (RFC 9457): what the edge says where it does not do what it was asked. Here alone an error's code
 * becomes an HTTP status.
 */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { isWireError, type ErrorCode, type WireError } from '../../src/errors.ts';
import { logFailure } from './failure-log.ts';

/** The codes of what can only go wrong over HTTP, beside those of the core. */
export type ProblemCode =
  | ErrorCode
  | 'request.malformed'
  | 'request.media-type'
  | 'request.not-found'
  | 'request.method'
  | 'request.reused-key'
  | 'access.unconfigured'
  | 'access.missing'
  | 'access.unknown'
  | 'access.origin'
  | 'access.refused'
  | 'access.limited'
  | 'edge.overloaded'
  | 'edge.failed';

/** One place in the request that is wrong. */
export interface FieldProblem {
  /** JSON pointer (RFC 6901) into the body, or to the query's parameter. */
  readonly pointer: string;
  readonly detail: string;
}

export interface Problem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldProblem[];
  /** Members beyond the standard's. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** More places than these are not listed: who mends the first ones learns of the others. */
export const MAX_FIELD_PROBLEMS = 1000;

const outcomes: Readonly<Record<ProblemCode, readonly [status: ContentfulStatusCode, title: string]>> = {
  'event.invalid': [400, 'The event is invalid'],
  'event.conflict': [409, 'The id is stored with other content'],
  'catalogue.invalid': [400, 'The catalogue is invalid'],
  'catalogue.unknown-type': [400, 'The type is unknown'],
  'version.conflict': [409, 'The subject is at another version'],
  'version.missing': [404, 'The version does not exist'],
  'history.trimmed': [410, 'The history was trimmed'],
  'aggregate.deleted': [410, 'The aggregate is deleted'],
  'upcast.failed': [500, 'An old event cannot be read'],
  'projection.failed': [500, 'A projection failed'],
  'seal.broken': [500, 'Sealed data cannot be read'],
  'producer.gap': [409, 'The producer sequence has a gap'],
  'producer.fenced': [409, 'A newer epoch of the producer has taken over'],
  'producer.diverged': [409, 'The producer has lost its tail'],
  'chain.broken': [409, 'The push does not follow on what was stored'],
  'cursor.invalid': [400, 'The cursor is invalid'],
  'query.invalid': [400, 'A parameter is invalid'],
  'value.invalid': [400, 'A value cannot be aggregated'],
  'topic.invalid': [400, 'The topic is malformed'],
  failed: [500, 'A handler failed'],
  'middleware.misused': [500, 'A middleware is misused'],
  timeout: [504, 'It took too long'],
  'pattern.invalid': [400, 'The pattern is invalid'],
  'routing.invalid': [400, 'The rule is invalid'],
  'routing.conflict': [409, 'The name is taken'],
  'routing.unknown': [404, 'There is none of that name'],
  'limit.exceeded': [413, 'A limit is exceeded'],
  'storage.closed': [503, 'The storage is not available'],
  'storage.open-failed': [503, 'The storage is not available'],
  'storage.failed': [503, 'The storage is not available'],
  'storage.corrupt': [500, 'What is stored is damaged'],
  'storage.archive-failed': [503, 'The archive is not available'],
  'sync.unreachable': [503, 'The edge is out of reach'],
  'sync.refused': [422, 'The push is refused'],
  'subscription.unknown': [404, 'There is no such subscription'],
  'subscription.invalid': [400, 'The subscription is invalid'],
  'delivery.unknown': [404, 'There is no such delivery'],
  'delivery.failed': [502, 'The endpoint has not taken the delivery'],
  'callback.unresolved': [400, 'The callback cannot be resolved'],
  'consent.missing': [403, 'Consent is missing'],
  'shard.sealed': [503, 'The log is being moved to more shards'],
  'shard.busy': [429, 'Too much waits to be committed'],
  disposed: [503, 'The edge is shutting down'],
  'request.malformed': [400, 'The body is malformed'],
  'request.media-type': [415, 'The content type is not supported'],
  'request.not-found': [404, 'Not found'],
  'request.method': [405, 'The method is not allowed'],
  'request.reused-key': [422, 'The idempotency key is of another request'],
  'access.unconfigured': [401, 'The deployment has no keys'],
  'access.missing': [401, 'A key is needed'],
  'access.unknown': [401, 'The key is unknown'],
  'access.origin': [403, 'The origin is not allowed'],
  'access.refused': [403, 'The key does not allow this'],
  'access.limited': [429, 'Too many requests'],
  'edge.overloaded': [503, 'The edge is overloaded'],
  'edge.failed': [500, 'The edge failed'],
};

/** Codes whose details a client acts on. The others may carry what the request held, which goes into no answer. */
const detailed = new Set<ProblemCode>([
  'producer.gap',
  'producer.fenced',
  'producer.diverged',
  'chain.broken',
  'limit.exceeded',
]);

export function problemResponse({ code, detail, errors, more, headers }: Problem): Response {
  const [status, title] = outcomes[code];
  const body = {
    type: `urn:millrace:problem:${code}`,
    title,
    status,
    detail,
    code,
    ...(errors && { errors }),
    ...more,
  };
  const retry = status === 503 || status === 429 ? { 'retry-after': '1' } : {};
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...retry,
      ...headers,
    },
  });
}

/** To be thrown from a route. */
export function refusal(problem: Problem): HTTPException {
  const [status] = outcomes[problem.code];
  return new HTTPException(status, { message: problem.detail, res: problemResponse(problem) });
}

export function errorResponse(error: Error, context: Context): Response {
  if (error instanceof HTTPException) return error.getResponse();
  if (isWireError(error)) return problemResponse(problemOf(error, context.req.method));
  if (isOverload(error))
    return problemResponse({ code: 'edge.overloaded', detail: 'try again in a moment' });
  logFailure(`${context.req.method} ${context.req.routePath}`, error);
  return problemResponse({
    code: 'edge.failed',
    detail: 'something went wrong at the edge; the failure is logged',
  });
}

function problemOf(error: WireError, method: string): Problem {
  const { code, details } = error;
  // The storage's own words name its inside.
  const inside = code.startsWith('storage.');
  return {
    code,
    detail: inside ? outside(method) : error.message,
    ...('path' in details && { errors: [{ pointer: details.path, detail: details.reason }] }),
    ...(detailed.has(code) && { more: { details } }),
  };
}

function outside(method: string): string {
  const stored = method === 'POST' ? 'nothing of the request was stored; ' : '';
  return `${stored}try again in a moment`;
}

/** How workerd marks what may be asked again: an object that was moved, evicted or is too busy. */
function isOverload(error: Error): boolean {
  return (
    ('retryable' in error && error.retryable === true) ||
    ('overloaded' in error && error.overloaded === true)
  );
}
