/** The upkeep of a device's log: merges small segments, and forgets the oldest of what is at the edge. */
import type { Ports } from '../../src/ports.ts';
import type { Position, Storage } from '../../src/storage/storage.ts';
import { syncKeys } from '../../src/sync/producer-state.ts';
import { Coalesced } from './coalesced.ts';
import type { DeviceWindows } from './device-windows.ts';

export interface DeviceUpkeepOptions {
  readonly storage: Storage;
  readonly ports: Pick<Ports, 'now' | 'after'>;
  readonly windows: Pick<DeviceWindows, 'catchUp' | 'checkpoint'>;
  /** Events at the edge that stay on the device. Default: 10,000. */
  readonly keepEvents?: number | undefined;
  /** Whether this tab is the one to trim. */
  readonly leads: () => boolean;
  /** Runs what nobody waits for. */
  readonly guard: (task: () => Promise<void>) => Promise<void>;
}

const KEEP_EVENTS = 10_000;
/** A log in which nothing was committed for so long is idle. */
const IDLE_MS = 2_000;
/** One in which commits never pause is kept up all the same, after so long and after so many. */
const BUSY = { forMs: 30_000, times: 64 };
/** Events forgotten in one transaction, so that no capture waits for long. */
const TRIM_STEP = 2_000;

export class DeviceUpkeep {
  readonly #options: DeviceUpkeepOptions;
  readonly #task: Coalesced;
  #stopped = false;

  constructor(options: DeviceUpkeepOptions) {
    this.#options = options;
    this.#task = new Coalesced(options.ports, IDLE_MS, () => options.guard(() => this.#run()));
  }

  committed(): void {
    this.#task.postpone(BUSY);
  }

  /** Something may be due that no commit tells of. */
  ask(): void {
    this.#task.ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#task.stop();
  }

  async #run(): Promise<void> {
    const { storage, leads } = this.#options;
    while (!this.#stopped && (await storage.compact()));
    if (!this.#stopped && leads()) await this.#trim();
  }

  /** Makes room at once: forgets all that is at the edge. */
  async free(): Promise<void> {
    await this.#trim(0);
  }

  async #trim(keepEvents = this.#options.keepEvents ?? KEEP_EVENTS): Promise<void> {
    const { storage, windows } = this.#options;
    const acked = ((await storage.get(syncKeys.acked)) as Position | undefined) ?? 0;
    const until = acked - keepEvents;
    let { trimmed } = await storage.stats();
    if (until <= trimmed) return;
    // What is forgotten must be counted before, and no more: there may be a long backlog behind it. On a full disk there
    // may be no room for the counts.
    const uncounted = until - (await windows.checkpoint());
    if (uncounted > 0) await windows.catchUp(uncounted).catch(() => {});
    const end = Math.min(until, await windows.checkpoint());
    while (!this.#stopped && trimmed < end) {
      trimmed = Math.min(end, trimmed + TRIM_STEP);
      await storage.trim(trimmed);
    }
  }
}
