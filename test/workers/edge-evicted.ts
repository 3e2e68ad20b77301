/** For the soak `edge`: the edge, whose objects can be taken out of memory by force, as the platform does now and then. */
import edge, * as objects from '../../workers/edge/index.ts';

export { SubscriptionList } from '../../workers/edge/index.ts';

interface Evictable {
  evict(): Promise<void>;
}

export class Shard extends objects.Shard implements Evictable {
  evict(): Promise<void> {
    return abort(this.ctx);
  }
}

export class Subscription extends objects.Subscription implements Evictable {
  evict(): Promise<void> {
    return abort(this.ctx);
  }
}

export class Directory extends objects.Directory implements Evictable {
  evict(): Promise<void> {
    return abort(this.ctx);
  }
}

/** In a turn of its own: a transaction that an object is aborted in would keep its file locked to its successor. */
async function abort(context: DurableObjectState): Promise<void> {
  await new Promise((done) => setTimeout(done, 0));
  context.abort('evicted');
}

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== '/test/evict') return edge.fetch(request as never, env as never, context);
    const namespace = (env as Record<string, DurableObjectNamespace>)[searchParams.get('binding')!]!;
    const object = namespace.getByName(searchParams.get('name')!) as unknown as Evictable;
    // The call itself goes down with the object.
    await object.evict().catch(() => undefined);
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler;
