/** A log's shards: how many there are, and the raising of their number. */
import { createRoute, z } from '@hono/zod-openapi';
import { tenantDirectory } from '../access/directory-of.ts';
import { parseJson, problemsOf } from '../parse.ts';
import { refusal } from '../problem.ts';
import { readBody } from '../request-body.ts';
import { noQuery } from '../schema.ts';
import { unwrap } from '../shard-calls.ts';
import { refresh } from '../sharding/log-of.ts';
import { shardLimits, type ShardMap } from '../sharding/shard-map.ts';
import { createApi, described, jsonAnswer, notStored } from './api.ts';

const api = createApi();
const tags = ['Operation'];

const epochs = z
  .object({
    epochs: z.array(z.object({ epoch: z.int(), shards: z.int(), sealed: z.boolean() })),
  })
  .openapi('Shards', { description: 'the last epoch is open, those before it are only read' });

const raise = z.strictObject({ shards: z.int().min(2).max(shardLimits.shards) }).openapi('MoreShards');

const listShards = createRoute({
  method: 'get',
  path: '/shards',
  summary: 'Over how many shards the log is spread',
  tags,
  request: { query: noQuery },
  responses: { 200: jsonAnswer('The epochs', epochs) },
});

const raiseShards = createRoute({
  method: 'post',
  path: '/shards',
  summary: 'Spreads what comes from now on over more shards',
  description:
    'What is stored stays where it is. Each shard takes about a thousand requests a second; in return `GET /events`, types ' +
    'and windows are read from all of them, a push is told to all, and live streams no longer sleep. There is no way back.',
  tags,
  request: { query: noQuery, body: { content: { 'application/json': { schema: raise } } } },
  responses: { 200: jsonAnswer('The epochs', epochs) },
});

const view = ({ epochs: all }: ShardMap) => ({
  epochs: all.map(({ epoch, shards, sealed }) => ({ epoch, shards, sealed: sealed !== undefined })),
});

export const shardRoutes = api
  .openapi(described(api, listShards, [400]), async (context) => {
    const map = unwrap(await tenantDirectory(context.env, context.var.access.tenant).shardMap());
    return context.json(view(map), 200, notStored);
  })
  .openapi(described(api, raiseShards, [400, 413, 415]), async (context) => {
    const body = parseJson(await readBody(context.req.raw, ['application/json']));
    const given = raise.safeParse(body);
    if (!given.success) {
      const errors = problemsOf(given.error);
      throw refusal({
        code: 'query.invalid',
        detail: 'shards must be a whole number from 2 to 64',
        errors,
      });
    }
    const { tenant } = context.var.access;
    const map = unwrap(await tenantDirectory(context.env, tenant).raiseShards(given.data.shards));
    await refresh(context.env, tenant);
    return context.json(view(map), 200, notStored);
  });
