/**
 * `GET /page-keys`: the keys that the pages of this deployment may be told, and so may anybody: a publishable one, which
 * stands in every page anyway. In development a reading one too, for the demo shows what the edge has.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { refusal } from '../problem.ts';
import { createApi, jsonAnswer, notStored, problemAnswer } from './api.ts';

const pageKeys = z
  .object({ publishable: z.string().optional(), read: z.string().optional() })
  .openapi('PageKeys');

const showPageKeys = createRoute({
  method: 'get',
  path: '/page-keys',
  summary: 'The keys that pages of this deployment use',
  tags: ['Keys'],
  responses: { 200: jsonAnswer('The keys', pageKeys), 404: problemAnswer(404) },
});

export const pageKeyRoutes = createApi().openapi(showPageKeys, (context) => {
  const keys = readPageKeys(context.env.MILLRACE_PAGE_KEYS ?? '');
  if (keys === undefined)
    throw refusal({ code: 'request.not-found', detail: 'no keys are set for pages' });
  return context.json(keys, 200, notStored);
});

function readPageKeys(given: string): z.output<typeof pageKeys> | undefined {
  try {
    return pageKeys.safeParse(JSON.parse(given)).data;
  } catch {
    return undefined;
  }
}
