/** The subscriptions' routes in the document. */
import { createRoute, z } from '@hono/zod-openapi';
import type { z as schemas } from 'zod';
import { noQuery } from '../schema.ts';
import {
  deadLettersQuery,
  deliveriesQuery,
  newSubscription,
  redriveRequest,
  replayRequest,
  subscriptionChange,
} from '../subscription-schema.ts';
import { createApi, described, jsonAnswer, type FailureStatus } from './api.ts';

const tags = ['Subscriptions'];
const one = z.object({ id: z.string() });
const delivery = one.extend({ sequence: z.string() });
const subscription = z.looseObject({ id: z.string() }).openapi('Subscription');
const answered = z.looseObject({}).openapi('SubscriptionAnswer');
const deliveryView = z.looseObject({}).openapi('Delivery');

export const subscriptionDescription = createApi();

interface Described {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly params?: typeof one;
  readonly query?: z.ZodObject;
  readonly body?: schemas.ZodType;
  readonly answer?: readonly [status: 200 | 201 | 202, schema: z.ZodType];
  readonly also?: readonly [status: 200, schema: z.ZodType];
  readonly failures: readonly FailureStatus[];
}

function describe({
  method,
  path,
  summary,
  params,
  query,
  body,
  answer,
  also,
  failures,
}: Described): void {
  const content = body && { 'application/json': { schema: jsonSchema(body) } };
  const given = [answer, also].flatMap((one) => (one ? [[one[0], jsonAnswer('Done', one[1])]] : []));
  const route = createRoute({
    method,
    path,
    summary,
    tags,
    request: {
      ...(params && { params }),
      ...(query && { query }),
      ...(content && { body: { required: true, content } }),
    },
    responses: given.length > 0 ? Object.fromEntries(given) : { 204: { description: 'Done' } },
  });
  described(subscriptionDescription, route, failures);
}

/** By zod itself: these schemas check more than a description can say. */
function jsonSchema(schema: schemas.ZodType) {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return json as object;
}

const bodied: readonly FailureStatus[] = [400, 404, 409, 413, 415, 422];

describe({
  method: 'post',
  path: '/subscriptions',
  summary: 'Subscribes an endpoint to events; with `dry_run`, says what would match',
  body: newSubscription,
  answer: [201, answered],
  also: [200, answered],
  failures: bodied,
});
describe({
  method: 'get',
  path: '/subscriptions',
  summary: 'All subscriptions',
  query: noQuery,
  answer: [200, z.object({ subscriptions: z.array(subscription) }).openapi('Subscriptions')],
  failures: [400],
});
describe({
  method: 'get',
  path: '/subscriptions/{id}',
  summary: 'One subscription',
  params: one,
  query: noQuery,
  answer: [200, subscription],
  failures: [400, 404],
});
describe({
  method: 'patch',
  path: '/subscriptions/{id}',
  summary: 'Pauses, resumes or moves a subscription, or renews its secret',
  params: one,
  body: subscriptionChange,
  answer: [200, answered],
  failures: bodied,
});
describe({
  method: 'delete',
  path: '/subscriptions/{id}',
  summary: 'Ends a subscription, with all that waits',
  params: one,
  failures: [400, 404],
});
describe({
  method: 'get',
  path: '/subscriptions/{id}/deliveries',
  summary: 'Its deliveries, with every attempt',
  params: one,
  query: deliveriesQuery,
  answer: [200, z.object({ deliveries: z.array(deliveryView) }).openapi('Deliveries')],
  failures: [400, 404],
});
describe({
  method: 'get',
  path: '/subscriptions/{id}/deliveries/{sequence}',
  summary: 'One delivery',
  params: delivery,
  query: noQuery,
  answer: [200, deliveryView],
  failures: [400, 404],
});
describe({
  method: 'get',
  path: '/subscriptions/{id}/dead-letters',
  summary: 'What could not be delivered',
  params: one,
  query: deadLettersQuery,
  answer: [200, z.object({ dead_letters: z.array(deliveryView) }).openapi('DeadLetters')],
  failures: [400, 404],
});
describe({
  method: 'post',
  path: '/subscriptions/{id}/dead-letters/redrive',
  summary: 'Tries dead letters again',
  params: one,
  body: redriveRequest,
  answer: [200, answered],
  failures: bodied,
});
describe({
  method: 'delete',
  path: '/subscriptions/{id}/dead-letters/{sequence}',
  summary: 'Drops a dead letter',
  params: delivery,
  failures: [400, 404],
});
describe({
  method: 'post',
  path: '/subscriptions/{id}/replay',
  summary: 'Delivers a range again',
  params: one,
  body: replayRequest,
  answer: [202, answered],
  failures: bodied,
});
