/** Reads what the subscriptions' routes are asked, and refuses what is wrong with a pointer to it. */
import type { Context } from 'hono';
import type { z } from 'zod';
import { hasCode, MillraceError } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import { parseVector } from './sharding/vector-cursor.ts';
import type { Position } from '../../src/storage/position.ts';
import { objectionToCallback } from './delivery/callback-url.ts';
import { callbackRules, queuesOf, resolverOf } from './delivery/host.ts';
import { objectionToQueue, queueOf } from './delivery/queue.ts';
import type { Selection } from './delivery/selection.ts';
import type { Settings } from './delivery/settings.ts';
import type { Source } from './delivery/source.ts';
import type { EdgeBindings, Env } from './environment.ts';
import { parseJson, parseQuery } from './parse.ts';
import { MAX_FIELD_PROBLEMS, refusal } from './problem.ts';
import { readBody } from './request-body.ts';
import { noQuery } from './schema.ts';
import type { NewSubscription } from './subscription-schema.ts';

/** All of a tenant's subscriptions are listed in one answer, each with its pattern. */
const MAX_REQUEST_BYTES = 32_768;

/** @throws HTTPException 400 that names each member which is wrong */
export async function readRequest<Schema extends z.ZodType>(
  context: Context<EdgeBindings>,
  schema: Schema,
): Promise<z.output<Schema>> {
  parseQuery(noQuery, context.req.query());
  const body = await readBody(context.req.raw, ['application/json'], MAX_REQUEST_BYTES);
  const result = schema.safeParse(parseJson(body));
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, MAX_FIELD_PROBLEMS);
  throw invalid(issues.map(({ path, message }) => ({ pointer: pointerOf(path), detail: message })));
}

export function invalid(errors: readonly { readonly pointer: string; readonly detail: string }[]) {
  const [first] = errors;
  const detail = `${first?.pointer || 'the body'} ${first?.detail}; nothing was changed`;
  return refusal({ code: 'subscription.invalid', detail, errors });
}

/**
 * A name that leads to an address which is not public is refused. One that cannot be resolved now is not: its endpoint
 * is asked again for its consent, and nothing is sent to it until it was resolved.
 */
export async function checkCallback(callback: string, env: Env): Promise<void> {
  const queue = queueOf(callback);
  const objection =
    queue === undefined ? await objectionToUrl(callback, env) : objectionToQueue(queue, queuesOf(env));
  if (objection !== undefined) throw invalid([{ pointer: '/callback_url', detail: objection }]);
}

async function objectionToUrl(callback: string, env: Env): Promise<string | undefined> {
  try {
    return await objectionToCallback(callback, resolverOf(env), callbackRules(env));
  } catch (error) {
    if (hasCode(error, 'callback.unresolved')) return undefined;
    throw error;
  }
}

/** The position that a reading begins after. @throws MillraceError `cursor.invalid` past the log's head */
async function positionIn(source: Source, place: string): Promise<Position> {
  if (place === 'start') return 0;
  if (place === 'now') return (await source.page({ limit: 1, direction: 'backward' })).head;
  const vector = parseVector(place);
  const { epoch = 0, index = 0 } = source;
  if (epoch > vector.epoch) return 0;
  if (epoch < vector.epoch) return positionIn(source, 'now');
  const after = vector.positions[index] ?? 0;
  await source.page({ after, limit: 1 });
  return after;
}

/** Of each source, by its name. @throws MillraceError `cursor.invalid` */
export async function startsIn(
  sources: readonly Source[],
  place: string,
): Promise<Readonly<Record<string, Position>>> {
  checkPlace(sources, place);
  const starts = sources.map(async (source) => [source.name, await positionIn(source, place)] as const);
  return Object.fromEntries(await Promise.all(starts));
}

/** A cursor that has not as many positions as its epoch has shards is of another log. */
export function checkPlace(sources: readonly Source[], place: string): void {
  if (place === 'start' || place === 'now') return;
  const { epoch, positions } = parseVector(place);
  const { length } = sources.filter((source) => (source.epoch ?? 0) === epoch);
  if (length === positions.length) return;
  const message = `the cursor ${place.slice(0, 40)} is of another log, or of a state that was lost`;
  throw new MillraceError('cursor.invalid', message, { cursor: place });
}

export function selectionOf({ event_types: eventTypes, pattern }: NewSubscription): Selection {
  return pattern === undefined ? { eventTypes: eventTypes! } : { pattern };
}

export function settingsOf(given: NewSubscription, tenant: string, origin: string): Settings {
  return {
    id: `sub_${crypto.randomUUID().replaceAll('-', '')}`,
    tenant,
    serviceName: given.service_name,
    selection: selectionOf(given),
    callbackUrl: given.callback_url,
    origin,
    format: given.format,
    batch: given.batch,
    concurrency: given.concurrency,
    timeoutMs: given.timeout_ms,
    retryForMs: given.retry_for_ms,
    createdAt: hostPorts.now(),
  };
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
