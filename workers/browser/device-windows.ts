/** This device's live windows: caught up after commits, while somebody watches, and whenever somebody reads. */
import { hostPorts } from '../../src/ports.ts';
import type { Position, Storage } from '../../src/storage/storage.ts';
import type { Count } from '../../src/windows/count.ts';
import { eventsPerMinute } from '../../src/windows/events-per-minute.ts';
import { WindowFold, type WindowRange } from '../../src/windows/window-fold.ts';
import { Coalesced } from './coalesced.ts';
import type { Windows } from './worker-api.ts';

export interface DeviceWindowsOptions {
  readonly storage: Storage;
  /** Results that this worker has revised: for its own page, and for the others'. */
  readonly onRevised: (revised: Windows) => void;
  /** Runs what nobody waits for. */
  readonly guard: (task: () => Promise<void>) => Promise<void>;
}

const CATCH_UP_MS = 100;

export class DeviceWindows {
  readonly #options: DeviceWindowsOptions;
  readonly #view: WindowFold<Count, number>;
  readonly #soon: Coalesced;
  #watched = false;

  constructor(options: DeviceWindowsOptions) {
    this.#options = options;
    this.#view = new WindowFold(options.storage, eventsPerMinute);
    this.#soon = new Coalesced(hostPorts, CATCH_UP_MS, () => options.guard(() => this.catchUp()));
  }

  async read(range: WindowRange): Promise<Windows> {
    await this.catchUp();
    return this.#view.read(range);
  }

  watch(): void {
    this.#watched = true;
    this.#soon.ask();
  }

  committed(): void {
    if (this.#watched) this.#soon.ask();
  }

  stop(): void {
    this.#soon.stop();
  }

  /** The position up to which all is counted. */
  checkpoint(): Promise<Position> {
    return this.#view.checkpoint();
  }

  /** `limit`: the most events to count now, a page more or less. */
  async catchUp(limit?: number): Promise<void> {
    const revised = await this.#view.catchUp(limit === undefined ? undefined : { limit });
    if (revised.length > 0) this.#options.onRevised(revised);
  }
}
