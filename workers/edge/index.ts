/** The edge's Worker entry: the routes, and the Durable Object that keeps a shard. */
import { app } from './app.ts';
import type { Env } from './environment.ts';

export type { EdgeApi } from './app.ts';
export { Directory } from './access/directory.ts';
export { Shard } from './shard.ts';
export { Subscription } from './subscription.ts';
export { SubscriptionList } from './subscription-list.ts';

export default {
  fetch: (request, env, context) => app.fetch(request, env, context),
} satisfies ExportedHandler<Env>;
