/** The sync routes in the document: see `src/sync/protocol.ts` for what they say. */
import { createRoute, z } from '@hono/zod-openapi';
import { syncPaths } from '../../../src/sync/protocol.ts';
import { headQuery, noQuery, pullQuery } from '../schema.ts';
import { createApi, described, jsonAnswer } from './api.ts';

const tags = ['Sync'];
const params = z.object({ producer: z.string() });
const ndjson = z.string().openapi({ description: 'a header as JSON, then one event a line' });

const head = z.object({ epoch: z.int(), seq: z.int() }).openapi('ProducerHead');
const statement = z.looseObject({ epoch: z.int(), seq: z.int() }).openapi('ProducerStatement');
const pushed = z
  .looseObject({
    epoch: z.int(),
    seq: z.int(),
    duplicates: z.int(),
    repeated: z.boolean(),
    time: z.string(),
  })
  .openapi('PushAnswer');

export const syncDescription = createApi();

described(
  syncDescription,
  createRoute({
    method: 'post',
    path: syncPaths.push,
    summary: 'Applies a range of a producer’s gap-free sequence, once however often it comes',
    tags,
    request: {
      query: z.object({ key: z.string().optional() }),
      body: {
        required: true,
        content: { 'application/x-ndjson': { schema: ndjson }, 'text/plain': { schema: ndjson } },
      },
    },
    responses: { 200: jsonAnswer('The producer’s head', pushed) },
  }),
  [400, 409, 413, 415, 422],
);

described(
  syncDescription,
  createRoute({
    method: 'get',
    path: syncPaths.head,
    summary: 'How far a producer came; zeros for one that never wrote',
    tags,
    request: { query: headQuery },
    responses: { 200: jsonAnswer('The head', head) },
  }),
  [400],
);

described(
  syncDescription,
  createRoute({
    method: 'get',
    path: `${syncPaths.producers}/{producer}`,
    summary: 'What the edge states of a producer, with its chain',
    tags,
    request: { params, query: noQuery },
    responses: { 200: jsonAnswer('The statement', statement) },
  }),
  [400],
);

described(
  syncDescription,
  createRoute({
    method: 'delete',
    path: `${syncPaths.producers}/{producer}`,
    summary: 'Erases the data of all that a producer has pushed, and takes nothing more from it',
    tags,
    request: { params, query: noQuery },
    responses: {
      200: jsonAnswer('What was erased', z.object({ events: z.int() }).openapi('Forgotten')),
    },
  }),
  [400],
);

described(
  syncDescription,
  createRoute({
    method: 'get',
    path: syncPaths.pull,
    summary: 'Events by cursor as NDJSON, to the byte as they were captured',
    tags,
    request: { query: pullQuery },
    responses: {
      200: { description: 'The lines', content: { 'application/x-ndjson': { schema: ndjson } } },
    },
  }),
  [400],
);
