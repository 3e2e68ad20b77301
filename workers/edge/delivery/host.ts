/** What the edge's environment says about callbacks. */
import type { Env } from '../environment.ts';
import { hostPorts } from '../../../src/ports.ts';
import type { CallbackRules } from './callback-url.ts';
import { queuesIn, type Queues } from './queue.ts';
import { resolveOverHttps, type Resolve } from './resolver.ts';

/** `MILLRACE_ALLOW_LOOPBACK=true`, for development alone: callbacks on this machine, over http too. */
export function callbackRules(env: Env): CallbackRules {
  return { allowLoopback: env.MILLRACE_ALLOW_LOOPBACK === 'true' };
}

/** `MILLRACE_RESOLVER` is the address of a resolver that answers in JSON; default: Cloudflare's. */
export function resolverOf(env: Env): Resolve {
  return resolveOverHttps({
    endpoint: env.MILLRACE_RESOLVER,
    fetch: (input, init) => fetch(input, init),
    ports: hostPorts,
  });
}

export function queuesOf(env: Env): Queues {
  return queuesIn(env);
}
