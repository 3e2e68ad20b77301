/**
 * A service's subscriptions at the edge: which they are and what signs for them, kept in the service's storage.
 *
 * What a subscription selects never changes. A service that has new handlers gets another one for their types; where two
 * select the same event, the first of them is the one that counts, so that it is handled once.
 */
import type { Event } from '../event/event.ts';
import type { Ports } from '../ports.ts';
import type { JsonValue, Storage } from '../storage/storage.ts';
import { matchesTypes, selectionOf } from './choice.ts';
import { subscriptionGone, type Subscriptions, type SubscriptionOptions } from './subscriptions.ts';

interface Secret {
  readonly text: string;
  /** In ms since the Unix epoch, of one that was replaced: it is accepted until then. */
  readonly until?: number;
}

export interface KeptSubscription {
  readonly id: string;
  /** Types and topic patterns. */
  readonly types: readonly string[];
  readonly secrets: readonly Secret[];
  /** A new secret was asked for, and the answer was not written down. */
  readonly rotating?: boolean;
}

export interface ServiceSubscriptionsOptions {
  readonly service: string;
  readonly storage: Storage;
  readonly ports: Pick<Ports, 'now'>;
  readonly subscriptions: Subscriptions;
  readonly wanted: Omit<SubscriptionOptions, 'serviceName' | 'selection' | 'signal'>;
  /** How long a secret that was replaced is accepted: what it has signed may be on its way. */
  readonly toleranceMs: number;
}

export interface EnsureOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where one that somebody has deleted begins anew. Default: it is an error. */
  readonly resubscribe?: 'now' | 'start' | (string & {}) | undefined;
}

export class ServiceSubscriptions {
  readonly #options: ServiceSubscriptionsOptions;
  #kept: readonly KeptSubscription[] = [];

  constructor(options: ServiceSubscriptionsOptions) {
    this.#options = options;
  }

  get kept(): readonly KeptSubscription[] {
    return this.#kept;
  }

  async load(): Promise<void> {
    const kept = await this.#options.storage.get(this.#key);
    this.#kept = (kept as unknown as readonly KeptSubscription[] | undefined) ?? [];
  }

  secretsOf(id: string): readonly string[] | undefined {
    const now = this.#options.ports.now();
    return this.#kept
      .find((one) => one.id === id)
      ?.secrets.filter(({ until }) => until === undefined || until > now)
      .map(({ text }) => text);
  }

  /** Whether it is that subscription whose delivery of the event counts. */
  isFirst(id: string, { type }: Event): boolean {
    return this.#kept.find(({ types }) => matchesTypes(types, type))?.id === id;
  }

  /**
   * Each is at the edge, at this callback, and active unless its owner has paused it.
   *
   * @throws MillraceError as `Subscriptions` does; `subscription.unknown` where somebody has deleted one
   */
  async ensure(types: readonly string[], { signal, resubscribe }: EnsureOptions): Promise<void> {
    const { subscriptions, wanted } = this.#options;
    for (const kept of this.#kept) {
      const shown = await subscriptions.get(kept.id, { signal });
      if (shown === undefined) {
        if (resubscribe === undefined) throw subscriptionGone(kept.id);
        await this.#make(kept.types, resubscribe, kept, signal);
        continue;
      }
      const { callbackUrl } = wanted;
      if (shown.callbackUrl !== callbackUrl)
        await subscriptions.change(kept.id, { callbackUrl }, { signal });
      else if (shown.state === 'disabled')
        await subscriptions.change(kept.id, { state: 'active' }, { signal });
      if (kept.rotating === true) await this.#rotate(kept, signal);
    }
    const added = types.filter((type) => !this.#kept.some((one) => one.types.includes(type)));
    if (added.length > 0) await this.#make(added, wanted.from, undefined, signal);
  }

  /** New secrets for all of them. @throws MillraceError as `Subscriptions.change` does */
  async rotateSecrets(signal?: AbortSignal): Promise<void> {
    for (const kept of this.#kept) await this.#rotate(kept, signal);
  }

  /** Ends them at the edge, and forgets them. */
  async remove(signal?: AbortSignal): Promise<void> {
    for (const { id } of this.#kept) {
      await this.#options.subscriptions.remove(id, { signal });
      await this.#put(this.#kept.filter((one) => one.id !== id));
    }
  }

  async #make(
    types: readonly string[],
    from: SubscriptionOptions['from'],
    gone: KeptSubscription | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { service, subscriptions, wanted } = this.#options;
    const selection = selectionOf(types);
    const options = { ...wanted, from, serviceName: service, selection, signal };
    const { id, secret } = await subscriptions.ensure(options);
    const made = { id, types, secrets: secret === undefined ? [] : [{ text: secret }] };
    const others = this.#kept.filter((one) => one !== gone);
    await this.#put([...others, made]);
    // It was made before, by a start that was cut off: its secret was said then, and is said no more.
    if (secret === undefined) await this.#rotate(made, signal);
  }

  async #rotate(kept: KeptSubscription, signal: AbortSignal | undefined): Promise<void> {
    const { subscriptions, ports, toleranceMs } = this.#options;
    await this.#replace({ ...kept, rotating: true });
    const { secret } = await subscriptions.change(kept.id, { rotateSecret: true }, { signal });
    const until = ports.now() + toleranceMs;
    const former = kept.secrets.map((one) => ({ until, ...one }));
    const { rotating: _, ...rest } = kept;
    await this.#replace({ ...rest, secrets: [{ text: secret! }, ...former].slice(0, 3) });
  }

  #replace(kept: KeptSubscription): Promise<void> {
    return this.#put(this.#kept.map((one) => (one.id === kept.id ? kept : one)));
  }

  async #put(kept: readonly KeptSubscription[]): Promise<void> {
    const put = [[this.#key, kept as unknown as JsonValue]] as const;
    await this.#options.storage.commit([{ events: [], put }]);
    this.#kept = kept;
  }

  get #key(): string {
    return `service/${this.#options.service}/subscriptions`;
  }
}
