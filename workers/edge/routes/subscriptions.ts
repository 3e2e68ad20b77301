/** Subscriptions: made, shown, changed and deleted; their deliveries, dead letters and replays. */
import { Hono, type Context } from 'hono';
import type { z } from 'zod';
import { MillraceError } from '../../../src/errors.ts';
import { hostPorts } from '../../../src/ports.ts';
import { RateLimiter } from '../access/rate-limit.ts';
import { dryRun } from '../delivery/dry-run.ts';
import { sourcesNow } from '../delivery/sources-of.ts';
import type { EdgeBindings, Env } from '../environment.ts';
import { parseQuery } from '../parse.ts';
import { refusal } from '../problem.ts';
import { noQuery } from '../schema.ts';
import { unwrap } from '../shard-calls.ts';
import type { Shown, SubscriptionCalls } from '../subscription-calls.ts';
import { subscriptionListOf, subscriptionOf } from '../subscription-of.ts';
import {
  checkCallback,
  invalid,
  readRequest,
  selectionOf,
  settingsOf,
  startsIn,
} from '../subscription-request.ts';
import {
  deadLettersQuery,
  deliveriesQuery,
  newSubscription,
  redriveRequest,
  replayRequest,
  sequenceParameter,
  subscriptionChange,
  type NewSubscription,
} from '../subscription-schema.ts';
import { takes } from './api.ts';

interface Json<Schema extends z.ZodType> {
  json: z.input<Schema>;
}
interface Query<Schema extends z.ZodType> {
  query: z.input<Schema>;
}

const LIST_TOGETHER = 32;
/** Endpoints of one host that a tenant may have asked for their consent. */
const HANDSHAKES = { requestsPerSecond: 1, burst: 60 } as const;
const handshakes = new RateLimiter(hostPorts);
/** As they are made. Any other text may be the name of somebody else's object. */
const ID = /^sub_[0-9a-f]{32}$/;

export const subscriptionRoutes = new Hono<EdgeBindings>()
  .post('/subscriptions', takes<Json<typeof newSubscription>>(), async (context) => {
    const given = await readRequest(context, newSubscription);
    await checkCallback(given.callback_url, context.env);
    const { tenant } = context.var.access;
    if (given.dry_run) return context.json(await answerDryRun(given, context.env, tenant));
    checkHandshakes(tenant, given.callback_url);
    const starts = await startsIn(await sourcesNow(context.env, tenant), given.from ?? 'now');
    const settings = settingsOf(given, tenant, new URL(context.req.url).host);
    const list = subscriptionListOf(context.env, tenant);
    unwrap(await list.add(settings.id));
    const made = subscriptionOf(context.env, settings.id, tenant);
    const shown = await made
      .create(settings, starts)
      .then(unwrap)
      .catch(async (error: unknown) => {
        // Else it would count for one that nobody can see. Where it was made after all, it is ended.
        await Promise.all([list.remove(settings.id), made.end()]);
        throw error;
      });
    return context.json(answerOf(shown), 201, {
      location: `/subscriptions/${settings.id}`,
      'cache-control': 'no-store',
    });
  })
  .get('/subscriptions', async (context) => {
    parseQuery(noQuery, context.req.query());
    return context.json({ subscriptions: await listAll(context.env, context.var.access.tenant) });
  })
  .get('/subscriptions/:id', async (context) => {
    parseQuery(noQuery, context.req.query());
    return context.json(unwrap(await named(context).describe()));
  })
  .patch('/subscriptions/:id', takes<Json<typeof subscriptionChange>>(), async (context) => {
    const {
      state,
      callback_url: callbackUrl,
      rotate_secret: rotateSecret,
    } = await readRequest(context, subscriptionChange);
    if (callbackUrl !== undefined) {
      await checkCallback(callbackUrl, context.env);
      checkHandshakes(context.var.access.tenant, callbackUrl);
    }
    const shown = unwrap(await named(context).change({ state, callbackUrl, rotateSecret }));
    return context.json(answerOf(shown), 200, { 'cache-control': 'no-store' });
  })
  .delete('/subscriptions/:id', async (context) => {
    parseQuery(noQuery, context.req.query());
    const subscription = named(context);
    unwrap(await subscription.describe());
    // In this order: cut off in between, it can still be deleted, and none that is gone keeps another's place.
    const list = subscriptionListOf(context.env, context.var.access.tenant);
    await list.remove(context.req.param('id'));
    unwrap(await subscription.end());
    return context.body(null, 204);
  })
  .get('/subscriptions/:id/deliveries', takes<Query<typeof deliveriesQuery>>(), async (context) => {
    const query = parseQuery(deliveriesQuery, context.req.query());
    return context.json({ deliveries: unwrap(await named(context).deliveries(query)) });
  })
  .get('/subscriptions/:id/deliveries/:sequence', async (context) => {
    parseQuery(noQuery, context.req.query());
    return context.json(unwrap(await named(context).delivery(sequenceOf(context))));
  })
  .get('/subscriptions/:id/dead-letters', takes<Query<typeof deadLettersQuery>>(), async (context) => {
    const query = parseQuery(deadLettersQuery, context.req.query());
    const letters = unwrap(await named(context).deliveries({ ...query, status: 'dead' }));
    return context.json({ dead_letters: letters });
  })
  .post(
    '/subscriptions/:id/dead-letters/redrive',
    takes<Json<typeof redriveRequest>>(),
    async (context) => {
      const { sequences } = await readRequest(context, redriveRequest);
      return context.json(unwrap(await named(context).redrive(sequences)));
    },
  )
  .delete('/subscriptions/:id/dead-letters/:sequence', async (context) => {
    parseQuery(noQuery, context.req.query());
    unwrap(await named(context).drop(sequenceOf(context)));
    return context.body(null, 204);
  })
  .post('/subscriptions/:id/replay', takes<Json<typeof replayRequest>>(), async (context) => {
    const { from, to } = await readRequest(context, replayRequest);
    const sources = await sourcesNow(context.env, context.var.access.tenant);
    const [afters, untils] = [await startsIn(sources, from), await startsIn(sources, to)];
    const ranges = Object.entries(afters).map(([source, after]) => ({
      source,
      after,
      until: untils[source] ?? 0,
    }));
    return context.json({ replays: unwrap(await named(context).replay(ranges)) }, 202);
  });

type Requested = Context<EdgeBindings>;

/** Each subscription that is made or moved has its endpoint asked at once, and the endpoint may be anybody's. */
function checkHandshakes(tenant: string, callbackUrl: string): void {
  const { hostname } = new URL(callbackUrl);
  const { allowed, retryAfterMs } = handshakes.take(`${tenant} ${hostname}`, HANDSHAKES);
  if (allowed) return;
  throw refusal({
    code: 'access.limited',
    detail: `${hostname} was asked for its consent too often: try again later, nothing was changed`,
    headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) },
  });
}

/** @throws MillraceError `subscription.unknown` for what no subscription is called */
function named(context: Requested): SubscriptionCalls {
  const id = context.req.param('id') ?? '';
  if (ID.test(id)) return subscriptionOf(context.env, id, context.var.access.tenant);
  const message = 'there is no subscription of this id: it was deleted, or never made';
  throw new MillraceError('subscription.unknown', message, { subscription: id });
}

function sequenceOf(context: Requested): number {
  const { sequence } = context.req.param() as { readonly sequence: string };
  const result = sequenceParameter.safeParse(sequence);
  if (result.success) return result.data;
  throw invalid([{ pointer: '/sequence', detail: result.error.issues[0]!.message }]);
}

function answerOf({ subscription, secret }: Shown) {
  return { ...subscription, subscription_id: subscription.id, ...(secret !== undefined && { secret }) };
}

async function answerDryRun(given: NewSubscription, env: Env, tenant: string) {
  const sources = await sourcesNow(env, tenant);
  const starts = await startsIn(sources, given.from ?? 'start');
  const { samples, ...counts } = await dryRun(selectionOf(given), sources, starts);
  return { dry_run: true, ...counts, samples: samples.map((line) => JSON.parse(line) as unknown) };
}

/** Those that were deleted meanwhile, or never came to be, are left out. */
async function listAll(env: Env, tenant: string) {
  const ids = await subscriptionListOf(env, tenant).ids();
  const views = [];
  for (let i = 0; i < ids.length; i += LIST_TOGETHER) {
    const some = ids.slice(i, i + LIST_TOGETHER);
    const replies = await Promise.all(some.map((id) => subscriptionOf(env, id, tenant).describe()));
    for (const reply of replies) if (reply.ok) views.push(reply.value);
  }
  return views;
}
