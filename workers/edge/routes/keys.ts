/** The keys of a tenant: made, shown and revoked by its admins. */
import { createRoute, z } from '@hono/zod-openapi';
import { formatTimestamp } from '../../../src/event/timestamp.ts';
import { scopes } from '../access/access-table.ts';
import { createKey } from '../access/api-key.ts';
import type { StoredKey } from '../access/directory-calls.ts';
import { keyDirectory } from '../access/directory-of.ts';
import { forgetKey } from '../access/key-ring.ts';
import { createdKey, storedKey } from '../answers.ts';
import { parseJson, problemsOf } from '../parse.ts';
import { refusal } from '../problem.ts';
import { readBody } from '../request-body.ts';
import { noQuery } from '../schema.ts';
import { unwrap } from '../shard-calls.ts';
import { createApi, described, jsonAnswer, notStored } from './api.ts';

const api = createApi();
const tags = ['Keys'];

const origin = z
  .string()
  .refine(
    (given) => URL.canParse(given) && new URL(given).origin === given,
    'must be an origin such as https://shop.example',
  );
/** A hundred origins, and what else a key has. */
const MAX_KEY_BYTES = 32_768;
const bound = (maximum: number) => z.int(`must be a whole number`).min(1).max(maximum).optional();

const newKey = z
  .strictObject({
    name: z.string().min(1).max(64),
    scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
    origins: z
      .array(origin)
      .max(100)
      .optional()
      .openapi({ description: 'pages that may use it; any, where it is left out' }),
    limits: z
      .strictObject({
        requestsPerSecond: bound(1_000_000),
        burst: bound(1_000_000),
        bodyBytes: bound(4_194_304),
        events: bound(10_000),
      })
      .optional(),
  })
  .openapi('NewKey');

const listKeys = createRoute({
  method: 'get',
  path: '/keys',
  summary: 'All keys of the tenant, without their secrets',
  tags,
  request: { query: noQuery },
  responses: { 200: jsonAnswer('The keys', z.object({ keys: z.array(storedKey) }).openapi('Keys')) },
});

const addKey = createRoute({
  method: 'post',
  path: '/keys',
  summary: 'Makes a key, which is shown this once',
  tags,
  request: { query: noQuery, body: { content: { 'application/json': { schema: newKey } } } },
  responses: { 201: jsonAnswer('The key', createdKey) },
});

const deleteKey = createRoute({
  method: 'delete',
  path: '/keys/{id}',
  summary: 'Revokes a key: within five seconds it opens nothing any more',
  tags,
  request: { params: z.object({ id: z.string() }), query: noQuery },
  responses: { 204: { description: 'It is revoked' } },
});

export const keyRoutes = api
  .openapi(described(api, listKeys, [400]), async (context) => {
    const keys = unwrap(await keyDirectory(context.env).listKeys(context.var.access.tenant));
    return context.json({ keys: keys.map(shown) }, 200, notStored);
  })
  .openapi(described(api, addKey, [400, 413, 415]), async (context) => {
    const given = parseNewKey(
      parseJson(await readBody(context.req.raw, ['application/json'], MAX_KEY_BYTES)),
    );
    const { key, id, hash } = await createKey(given.scopes);
    const record = { ...given, id, hash, tenant: context.var.access.tenant };
    const stored = unwrap(await keyDirectory(context.env).addKey(record));
    forgetKey(id);
    return context.json({ ...shown(stored), key }, 201, notStored);
  })
  .openapi(described(api, deleteKey, [400, 404]), async (context) => {
    const { id } = context.req.valid('param');
    const removed = unwrap(await keyDirectory(context.env).removeKey(context.var.access.tenant, id));
    forgetKey(id);
    if (!removed) throw refusal({ code: 'request.not-found', detail: 'there is no key of this id' });
    return context.body(null, 204);
  });

function parseNewKey(body: unknown): z.output<typeof newKey> {
  const result = newKey.safeParse(body);
  if (result.success) return result.data;
  const errors = problemsOf(result.error);
  const [first] = errors;
  const detail = `${first?.pointer || 'the body'} ${first?.detail}; no key was made`;
  throw refusal({ code: 'query.invalid', detail, errors });
}

function shown({ hash: _, createdAt, ...key }: StoredKey): z.output<typeof storedKey> {
  return JSON.parse(JSON.stringify({ ...key, created_at: formatTimestamp(createdAt) })) as z.output<
    typeof storedKey
  >;
}
