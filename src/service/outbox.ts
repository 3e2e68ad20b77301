/**
 * A service's outbox: its log, pushed to the edge as a device's is, exactly once. What a handler publishes is in the log
 * with the handler's own commit, so that nothing is published of what did not happen, and nothing is forgotten.
 */
import type { Digest, Fetch, Ports } from '../ports.ts';
import { httpPushTransport } from '../sync/http-transport.ts';
import { readProgress } from '../sync/progress.ts';
import { syncKeys } from '../sync/producer-state.ts';
import { Pusher } from '../sync/pusher.ts';
import type { PushStatus } from '../sync/push-status.ts';
import type { Position, Storage } from '../storage/storage.ts';

export interface OutboxOptions {
  readonly storage: Storage;
  readonly endpoint: string;
  readonly key?: string | undefined;
  readonly fetch: Fetch;
  readonly ports: Ports;
  readonly digest: Digest;
  readonly timeoutMs?: number | undefined;
  /** Events at the edge that stay in the log. */
  readonly keepEvents: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #pusher: Pusher | undefined;
  #trimming: Promise<void> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get status(): PushStatus {
    return this.#pusher?.status ?? { state: 'stopped' };
  }

  /** Events that are not at the edge yet. */
  async waiting(): Promise<number> {
    return (await readProgress(this.#options.storage)).waiting;
  }

  start(): void {
    const { storage, ports, digest, ...http } = this.#options;
    const transport = httpPushTransport({ ...http, ports });
    const onStatus = ({ state }: PushStatus): void => {
      if (state === 'idle') this.#trimming ??= this.#trim().finally(() => (this.#trimming = undefined));
    };
    this.#pusher = new Pusher({ storage, transport, ports, digest, onStatus }).start();
  }

  /** What was not pushed stays, for the next start. */
  async stop(): Promise<void> {
    await this.#pusher?.stop();
    await this.#trimming;
    this.#pusher = undefined;
  }

  async #trim(): Promise<void> {
    const { storage, keepEvents } = this.#options;
    try {
      const acked = ((await storage.get(syncKeys.acked)) as Position | undefined) ?? 0;
      const until = acked - keepEvents;
      if (until > (await storage.stats()).trimmed) await storage.trim(until);
    } catch {
      // The storage has failed or was closed: whoever commits next is told. There is more room to make later.
    }
  }
}
