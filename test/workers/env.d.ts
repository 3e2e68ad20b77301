// What the tests in workerd are bound to: see wrangler.toml.
declare namespace Cloudflare {
  interface Env {
    readonly SHARD: DurableObjectNamespace<import('../../workers/edge/shard.ts').Shard>;
  }
}
