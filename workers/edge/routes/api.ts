/** How routes are written: with their description, from which the OpenAPI document and the typed client are made. */
import { OpenAPIHono, type RouteConfig, type z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler, TypedResponse } from 'hono';
import type { JSONParsed } from 'hono/utils/types';
import type { EdgeBindings } from '../environment.ts';
import { invalidQuery } from '../parse.ts';
import { problemBody } from '../answers.ts';

/** What a route may refuse with, beside what every route that needs a key may. */
export type FailureStatus = 400 | 404 | 405 | 409 | 410 | 413 | 415 | 422;

const titles: Readonly<Record<number, string>> = {
  400: 'A part of the request is wrong: `errors` names it by JSON pointer',
  401: 'No key, or one that is unknown',
  403: 'The key does not allow this',
  404: 'There is none',
  405: 'The method is not one of the address',
  409: 'It contradicts what is stored',
  410: 'It is there no more',
  413: 'A limit is exceeded',
  415: 'The content type is not one that is taken',
  422: 'It cannot be done as asked',
  429: 'Too many requests: `Retry-After` says when to go on',
  503: 'The edge cannot now: `Retry-After` says when to ask again',
};
const KEYED: readonly number[] = [401, 403, 429, 503];

export function createApi(): OpenAPIHono<EdgeBindings> {
  return new OpenAPIHono<EdgeBindings>({
    defaultHook: (result) => {
      if (!result.success) throw invalidQuery(result.error);
    },
  });
}

/**
 * Puts the route into the document, with its refusals, and gives it as it is to be served: its body is read by its
 * handler, within bounds, and checked with the schema of the description.
 */
export function described<R extends RouteConfig>(
  api: OpenAPIHono<EdgeBindings>,
  route: R,
  failures: readonly FailureStatus[] = [],
): R {
  const refusals = [...failures, ...KEYED].toSorted().map((status) => [status, problemAnswer(status)]);
  api.openAPIRegistry.registerPath({
    ...route,
    responses: { ...(Object.fromEntries(refusals) as RouteConfig['responses']), ...route.responses },
  });
  const { body: _, ...request } = route.request ?? {};
  return { ...route, request, hide: true };
}

/** Tells the typed client what a route takes that is described apart from it. Its handler reads and checks it. */
export function takes<In extends object>(): MiddlewareHandler<
  EdgeBindings,
  string,
  { in: In; out: In }
> {
  return (_, next) => next();
}

export function problemAnswer(status: number) {
  return {
    description: titles[status] ?? 'A problem',
    content: { 'application/problem+json': { schema: problemBody } },
  };
}

export function jsonAnswer<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { 'application/json': { schema } } };
}

/** A body that is the JSON of a `T` already. */
export function rawJson<T>(
  context: Context,
  json: string,
  headers: Readonly<Record<string, string>> = {},
): TypedResponse<JSONParsed<T>, 200, 'json'> & Response {
  const response = context.body(json, 200, { 'content-type': 'application/json', ...headers });
  return response as unknown as TypedResponse<JSONParsed<T>, 200, 'json'> & Response;
}

export const notStored = { 'cache-control': 'no-store' } as const;
