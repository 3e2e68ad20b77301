/** What the edge's Worker is bound to: see `wrangler.toml`. */
import type { KeyRecord } from './access/api-key.ts';

export interface Env {
  readonly SHARD: DurableObjectNamespace;
  /** Keys, and what each tenant has set up. */
  readonly DIRECTORY: DurableObjectNamespace;
  /** The keys to start with: see `access/configured-keys.ts`. */
  readonly MILLRACE_KEYS?: string;
  /** Keys that any page may be told, as JSON: see `routes/page-keys.ts`. */
  readonly MILLRACE_PAGE_KEYS?: string;
  /** One object a subscription. */
  readonly SUBSCRIPTION: DurableObjectNamespace;
  readonly SUBSCRIPTION_LIST: DurableObjectNamespace;
  /** `true`, for development alone: callbacks may be on this machine. */
  readonly MILLRACE_ALLOW_LOOPBACK?: string;
  /** A collector's address for spans, by OTLP over HTTP: see `tracing.ts`. Without one, none are recorded. */
  readonly MILLRACE_OTLP_URL?: string;
  /** What is said to it, as `name=value` with commas between: its key, as a rule a secret. */
  readonly MILLRACE_OTLP_HEADERS?: string;
  /** Where old segments go, and are read from. Without it they stay. */
  readonly ARCHIVE?: R2Bucket;
  /** After how many days: see `archive/archive-after.ts`. */
  readonly MILLRACE_ARCHIVE_AFTER_DAYS?: string;
  /** Where names of callbacks are resolved over HTTPS. */
  readonly MILLRACE_RESOLVER?: string;
}

/** What Hono carries through the routes. */
export interface EdgeBindings {
  readonly Bindings: Env;
  readonly Variables: {
    readonly requestId: string;
    /** Who asks: set for every route that needs a key. */
    readonly access: KeyRecord;
  };
}
