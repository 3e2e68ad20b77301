/** What the edge's Worker is bound to: see `wrangler.toml`. */
export interface Env {
  readonly SHARD: DurableObjectNamespace;
}

/** What Hono carries through the routes. */
export interface EdgeBindings {
  readonly Bindings: Env;
}
