/** An edge's subscriptions, as their owner keeps them: a key with the scope `admin` may. */
import { hasCode, MillraceError } from '../errors.ts';
import type { Pattern } from '../routing/pattern.ts';
import { Backoff } from '../sync/backoff.ts';
import type { Selection } from './choice.ts';
import type { EdgeRequests } from './edge-requests.ts';
import {
  readDeliveries,
  readSubscription,
  readSubscriptions,
  type EdgeDelivery,
  type EdgeSubscription,
} from './edge-subscription.ts';

export type { EdgeDelivery, EdgeSubscription } from './edge-subscription.ts';

export interface SubscriptionOptions {
  readonly serviceName: string;
  readonly callbackUrl: string;
  readonly selection: Selection;
  /** Where a new one begins. Default: `now`. */
  readonly from?: 'now' | 'start' | (string & {}) | undefined;
  readonly format?: 'json' | 'cloudevents' | undefined;
  /** The most events in a delivery, 1 to 100; they come as an array then. Default: each comes alone. */
  readonly batch?: number | undefined;
  /** Deliveries under way together, 1 to 6. Default: 6. */
  readonly concurrency?: number | undefined;
  /** How long the edge waits for an answer to one, 100 to 30,000. Default: 15,000. */
  readonly timeoutMs?: number | undefined;
  /** How long it tries again. Default: three days. */
  readonly retryForMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SubscriptionChange {
  readonly state?: 'active' | 'paused' | undefined;
  readonly callbackUrl?: string | undefined;
  readonly rotateSecret?: boolean | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The longest page of deliveries that the edge gives. */
export const MOST_DELIVERIES = 1_000;

/** Every call throws as the client's do. */
export class Subscriptions {
  readonly #edge: EdgeRequests;

  constructor(edge: EdgeRequests) {
    this.#edge = edge;
  }

  list({ signal }: CallOptions = {}): Promise<readonly EdgeSubscription[]> {
    return this.#edge.ask({ path: '/subscriptions', signal }, readSubscriptions);
  }

  /** `undefined` where there is none of that id. */
  async get(id: string, { signal }: CallOptions = {}): Promise<EdgeSubscription | undefined> {
    try {
      return await this.#edge.ask({ path: pathOf(id), signal }, readSubscription);
    } catch (error) {
      if (hasCode(error, 'sync.refused') && error.details.code === 'subscription.unknown')
        return undefined;
      throw error;
    }
  }

  /**
   * The one of that service that selects the same: it is made where there is none, and moved to the callback where it
   * is elsewhere. Asking again makes no second one, though an answer was lost on the way.
   */
  async ensure(options: SubscriptionOptions): Promise<EdgeSubscription> {
    const { callbackUrl, signal } = options;
    const backoff = new Backoff(this.#edge.ports);
    for (let attempt = 1; ; attempt++) {
      const known = (await this.list({ signal })).find((one) => isSame(one, options));
      if (known !== undefined && known.callbackUrl === callbackUrl) return known;
      if (known !== undefined) return this.change(known.id, { callbackUrl }, { signal });
      try {
        return await this.#create(options);
      } catch (error) {
        if (attempt >= this.#edge.attempts || !hasCode(error, 'sync.unreachable')) throw error;
        await this.#edge.pause(backoff.failed(error.details.retryAfterMs), signal);
      }
    }
  }

  change(
    id: string,
    change: SubscriptionChange,
    { signal }: CallOptions = {},
  ): Promise<EdgeSubscription> {
    const { state, callbackUrl, rotateSecret } = change;
    const body = JSON.stringify({ state, callback_url: callbackUrl, rotate_secret: rotateSecret });
    // Rotated twice, it would have one secret less to rotate to: what became of a lost answer is for its caller to find.
    const attempts = rotateSecret === true ? 1 : undefined;
    const request = { method: 'PATCH', path: pathOf(id), body, signal } as const;
    return this.#edge.ask(request, readSubscription, { attempts });
  }

  /** Ends it. What it has not delivered is delivered no more. Where it is gone already, nothing happens. */
  async remove(id: string, { signal }: CallOptions = {}): Promise<void> {
    try {
      await this.#edge.ask({ method: 'DELETE', path: pathOf(id), signal }, () => true);
    } catch (error) {
      if (!hasCode(error, 'sync.refused') || error.details.code !== 'subscription.unknown') throw error;
    }
  }

  /** The newest first: of what is delivered or dropped the edge keeps the last thousand, of the rest everything. */
  deliveries(
    id: string,
    options: CallOptions & {
      /** Only sequences smaller than this one. */
      readonly before?: number | undefined;
      readonly status?: EdgeDelivery['status'] | undefined;
      /** 1 to 1,000. Default: 100. */
      readonly limit?: number | undefined;
    } = {},
  ): Promise<readonly EdgeDelivery[]> {
    const { before, status, limit = 100, signal } = options;
    const query = [
      `limit=${limit}`,
      ...(before === undefined ? [] : [`before=${before}`]),
      ...(status === undefined ? [] : [`status=${status}`]),
    ].join('&');
    return this.#edge.ask({ path: `${pathOf(id)}/deliveries?${query}`, signal }, readDeliveries);
  }

  /** Has dead letters delivered again. Resolves to how many. */
  redrive(
    id: string,
    sequences: readonly number[] | undefined,
    { signal }: CallOptions = {},
  ): Promise<number> {
    const body = JSON.stringify({ sequences });
    return this.#edge.ask({ path: `${pathOf(id)}/dead-letters/redrive`, body, signal }, (text) => {
      const { redriven } = (JSON.parse(text) ?? {}) as { redriven?: unknown };
      return typeof redriven === 'number' ? redriven : undefined;
    });
  }

  /** Has what stands after `from`, up to `to`, delivered once more, under new sequences. */
  async replay(
    id: string,
    range: { readonly from: string; readonly to?: string | undefined },
    { signal }: CallOptions = {},
  ): Promise<void> {
    const body = JSON.stringify(range);
    // It may not be repeated: each asks for another one.
    const request = { path: `${pathOf(id)}/replay`, body, signal };
    await this.#edge.ask(request, () => true, { attempts: 1 });
  }

  #create(options: SubscriptionOptions): Promise<EdgeSubscription> {
    const { serviceName, callbackUrl, selection, from, format, batch, concurrency } = options;
    const { timeoutMs, retryForMs, signal } = options;
    const body = JSON.stringify({
      service_name: serviceName,
      callback_url: callbackUrl,
      ...('types' in selection ? { event_types: selection.types } : { pattern: selection.pattern }),
      ...{ from, format, batch, concurrency },
      ...{ timeout_ms: timeoutMs, retry_for_ms: retryForMs },
    });
    return this.#edge.ask({ path: '/subscriptions', body, signal }, readSubscription, { attempts: 1 });
  }
}

/** By its own name and selection: another of them is another subscription. */
function isSame(one: EdgeSubscription, options: SubscriptionOptions): boolean {
  const { serviceName, selection, format = 'json', batch } = options;
  const same = one.serviceName === serviceName && one.format === format && one.batch === batch;
  return same && selectionText(one) === selectionText(selection);
}

function selectionText({ types, pattern }: { types?: readonly string[]; pattern?: Pattern }): string {
  return types === undefined ? JSON.stringify(pattern) : JSON.stringify(types.toSorted());
}

function pathOf(id: string): string {
  return `/subscriptions/${encodeURIComponent(id)}`;
}

/** The error of a subscription that somebody has deleted. */
export function subscriptionGone(id: string): MillraceError<'subscription.unknown'> {
  const message = `the edge has no subscription ${id} any more: somebody has deleted it. What was published since is not delivered; start with \`resubscribe\` to say from where to go on`;
  return new MillraceError('subscription.unknown', message, { subscription: id });
}
