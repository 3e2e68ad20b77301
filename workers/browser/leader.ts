/**
 * One tab pushes for all: the one that holds the log's lock. When it dies the browser gives the lock to the next.
 * Where there are no locks every tab pushes, and each that is taken over is fenced: slower, and still exactly once.
 */
import { hostPorts } from '../../src/ports.ts';
import { Pusher, type PusherOptions, type PushStatus } from '../../src/sync/pusher.ts';
import { abortable, Wake } from '../../src/sync/wake.ts';

export interface LeaderOptions extends Pick<PusherOptions, 'storage' | 'transport'> {
  readonly log: string;
  /** Asked when the lead is won. */
  readonly offline: () => Promise<boolean>;
  readonly onLead: (leading: boolean) => void;
  readonly onStatus: (status: PushStatus) => void;
}

/** How long one that was fenced waits before it asks for the lead again. */
const AFTER_FENCE_MS = 5_000;

export class Leader {
  readonly #options: LeaderOptions;
  readonly #stopping = new AbortController();
  readonly #wake = new Wake<'stop'>(hostPorts);
  #pusher: Pusher | undefined;
  #running: Promise<void>;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  setOffline(offline: boolean): void {
    this.#pusher?.setOnline(!offline);
  }

  retry(): void {
    this.#pusher?.retry();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.call('stop');
    await this.#pusher?.stop();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await (navigator.locks?.request(`millrace:${this.#options.log}:sync`, { signal }, () =>
          this.#lead(),
        ) ?? this.#lead());
      } catch {
        // The wait for the lock was aborted, or the lead could not be taken up: ask again below, or stop.
      }
      if (!signal.aborted) await this.#wake.wait(['stop'], AFTER_FENCE_MS);
    }
  }

  async #lead(): Promise<void> {
    const { storage, transport, offline, onLead, onStatus } = this.#options;
    const online = !(await abortable(offline(), this.#stopping.signal));
    this.#pusher = new Pusher({ storage, transport, ports: hostPorts, online, onStatus }).start();
    onLead(true);
    try {
      await this.#pusher.finished;
    } finally {
      this.#pusher = undefined;
      onLead(false);
    }
  }
}
