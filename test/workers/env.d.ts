// What the tests in workerd are bound to: see wrangler.toml.
import type { Shard } from '../../workers/edge/shard.ts';

declare global {
  namespace Cloudflare {
    interface Env {
      readonly SHARD: DurableObjectNamespace<Shard>;
    }
  }
}
