/**
 * The log of a device, open in one tab's worker: appends, leads the sync if it is this tab's turn, keeps the windows and
 * the status. A part that fails says so in the status, and leaves the others alone.
 */
import type { WireError } from '../../src/errors.ts';
import { hostFetch, hostPorts, type Undo } from '../../src/ports.ts';
import type { Page, Query, Storage } from '../../src/storage/storage.ts';
import { createAsk } from '../../src/sync/http-ask.ts';
import { httpPushTransport } from '../../src/sync/http-transport.ts';
import { readProgress } from '../../src/sync/progress.ts';
import type { PushStatus } from '../../src/sync/push-status.ts';
import { randomId } from '../../src/sync/random-id.ts';
import { resendDeadLetters, type RedriveOptions } from '../../src/sync/redrive.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import type { OnStatus } from './answers.ts';
import { Coalesced } from './coalesced.ts';
import { DeviceAppends, type Batch } from './device-appends.ts';
import { DeviceBudget } from './device-budget.ts';
import { DeviceUpkeep } from './device-upkeep.ts';
import { DeviceWindows } from './device-windows.ts';
import type { Journal } from './journal.ts';
import type { JournalFile } from './journal-folder.ts';
import { Leader } from './leader.ts';
import { TabChannel, type TabHint } from './tab-channel.ts';
import {
  asWireError,
  type Appended,
  type LogSettings,
  type LogStatus,
  type Windows,
} from './worker-api.ts';

export interface DeviceLogOptions {
  readonly storage: Storage;
  /** Why the log is in memory, where it is: then no other tab has a part in it. */
  readonly inMemory?: WireError | undefined;
  /** Closed with the log. */
  readonly journal?: Journal | undefined;
  readonly settings: LogSettings;
  readonly online: boolean;
  readonly onStatus: OnStatus;
}

/** Each status takes the page a tenth of a ms: its counts are in the answers to its own batches sooner. */
const STATUS_MS = 200;
/** How long a push waits for what is captured right after its first event. */
const GATHER_MS = 100;
/** At a visitor's own pace it is one push a second: each takes the page's thread, the radio and the edge more than its events. */
const PACE_MS = 1_000;
/** While the journal guards nothing, or not all, it is tried again. */
const UNGUARDED_MS = 5_000;
const OFFLINE_KEY = 'sync/offline';

export class DeviceLog {
  readonly #storage: Storage;
  readonly #onStatus: OnStatus;
  readonly #settings: LogSettings;
  readonly #inMemory: WireError | undefined;
  readonly #journal: Journal | undefined;
  readonly #appends: DeviceAppends;
  readonly #budget: DeviceBudget;
  readonly #channel: TabChannel;
  readonly #windows: DeviceWindows;
  readonly #leader: Leader | undefined;
  readonly #publish: Coalesced;
  readonly #upkeep: DeviceUpkeep;
  readonly #undo: Undo;
  #onWindows: ((revised: Windows) => void) | undefined;
  #leading = false;
  #network: boolean;
  /** What the leader says of itself, here or in another tab. */
  #push: Pick<LogStatus, 'state' | 'lastError'> = { state: 'idle' };
  #ownError: WireError | undefined;
  #counts = { committed: 0, waiting: 0, acknowledged: 0, rejected: 0, dropped: 0, bytes: 0 };
  #offline = false;
  /** Of the appends that came down, how many the counts know of. */
  #counted = 0;
  #closed = false;
  #askingLater: Undo | undefined;

  constructor({ storage, inMemory, journal, settings, online, onStatus }: DeviceLogOptions) {
    this.#storage = storage;
    this.#journal = journal;
    this.#inMemory = inMemory;
    this.#settings = inMemory
      ? { ...settings, log: `${settings.log}:${randomId(hostPorts)}` }
      : settings;
    this.#onStatus = onStatus;
    this.#network = online;
    this.#budget = new DeviceBudget(settings.maxBytes);
    this.#appends = new DeviceAppends({
      storage,
      budget: this.#budget,
      journal,
      onFull: () => void this.#guard(() => this.#upkeep.free()),
    });
    this.#channel = new TabChannel(this.#settings.log, (hint) => this.#onHint(hint));
    this.#publish = new Coalesced(hostPorts, STATUS_MS, () => this.#sendStatus());
    this.#windows = new DeviceWindows({
      storage,
      onRevised: (revised) => this.#onRevised(revised),
      guard: (task) => this.#guard(task),
    });
    this.#upkeep = new DeviceUpkeep({
      storage,
      ports: hostPorts,
      windows: this.#windows,
      keepEvents: settings.keepEvents,
      leads: () => this.#leading,
      guard: (task) => this.#guard(task),
    });
    this.#undo = storage.onCommit(() => this.#onCommit());
    this.#leader = settings.sync ? this.#startLeader(this.#settings) : undefined;
    this.#channel.post({ hint: 'ask' });
    this.#publish.ask();
  }

  append(batches: readonly Batch[], forgottenAt: number): Promise<readonly Appended[]> {
    // Whatever came of it: the status tells, and the room is measured again.
    return this.#appends.append(batches, forgottenAt).finally(() => this.#publish.ask());
  }

  /** Decoded, for it goes to the page. */
  async query(query: Query): Promise<Page> {
    const page = await this.#storage.read(query);
    const events = page.events.map(({ position, line, event }) => ({ position, line, event }));
    return { ...page, events };
  }

  windows(range: WindowRange): Promise<Windows> {
    return this.#windows.read(range);
  }

  watchWindows(onRevised: (revised: Windows) => void): void {
    this.#onWindows = onRevised;
    this.#windows.watch();
  }

  get storage(): Storage {
    return this.#storage;
  }

  async resendDeadLetters(options: RedriveOptions): Promise<number> {
    const { endpoint, key } = this.#settings;
    const { now } = hostPorts;
    const ask = createAsk({ endpoint, key, fetch: hostFetch, ports: hostPorts });
    const publish = (body: string): Promise<string> => ask({ path: '/events', body });
    return resendDeadLetters(this.#storage, publish, { ...options, now }).finally(() =>
      this.#publish.ask(),
    );
  }

  async setOffline(offline: boolean): Promise<void> {
    await this.#storage.commit([{ events: [], put: [[OFFLINE_KEY, offline ? true : undefined]] }]);
    this.#channel.post({ hint: 'offline-switch' });
    this.#onOfflineSwitch();
  }

  /** A network that seems gone may still reach an edge on this machine, so nothing is stopped for it. */
  network(online: boolean): void {
    this.#network = online;
    if (online) this.#leader?.retry();
    this.#publish.ask();
  }

  /** `keep`: gives the journal's files to whoever opens the log next. */
  async close(keep = false): Promise<readonly JournalFile[]> {
    if (this.#closed) return [];
    this.#closed = true;
    this.#undo();
    this.#publish.stop();
    this.#askingLater?.();
    this.#upkeep.stop();
    this.#windows.stop();
    await this.#leader?.stop();
    this.#channel.close();
    await this.#storage.close();
    await this.#appends.settled;
    return this.#journal?.close(keep) ?? [];
  }

  #startLeader({ log, endpoint, key }: LogSettings): Leader {
    return new Leader({
      log,
      storage: this.#storage,
      transport: httpPushTransport({ endpoint, key, fetch: hostFetch, ports: hostPorts }),
      offline: () => this.#isOffline(),
      onLead: (leading) => {
        this.#leading = leading;
        this.#publish.ask();
      },
      onStatus: (status) => this.#onPush(status),
      ask: () => this.#channel.post({ hint: 'ask' }),
      gatherMs: GATHER_MS,
      paceMs: PACE_MS,
    });
  }

  async #isOffline(): Promise<boolean> {
    return (await this.#storage.get(OFFLINE_KEY)) === true;
  }

  #onOfflineSwitch(): void {
    void this.#guard(async () => {
      this.#leader?.setOffline(await this.#isOffline());
      this.#publish.ask();
    });
  }

  #onPush({ state, lastError }: PushStatus): void {
    // All that waited is at the edge: what it has is trimmed when nothing else is going on.
    if (state === 'idle' && this.#push.state !== 'idle') this.#upkeep.ask();
    // A leader that ends is no news of the log: the next one tells its own.
    if (state !== 'stopped' && !this.#closed) {
      this.#push = { state, ...(lastError !== undefined && { lastError: lastError.toWire() }) };
      this.#channel.post({ hint: 'pusher', ...this.#push } as TabHint);
    }
    this.#publish.ask();
  }

  #onHint(hint: TabHint): void {
    if (this.#closed) return;
    if (hint.hint === 'offline-switch') this.#onOfflineSwitch();
    else if (hint.hint === 'windows') this.#onWindows?.(hint.revised);
    else if (hint.hint === 'ask') {
      if (this.#leading) this.#channel.post({ hint: 'pusher', ...this.#push } as TabHint);
    } else {
      const { hint: _, ...push } = hint;
      this.#leader?.heard();
      // Mostly it only says that it is there.
      if (this.#leading || JSON.stringify(push) === JSON.stringify(this.#push)) return;
      this.#push = push;
      this.#publish.ask();
    }
  }

  #onCommit(): void {
    this.#publish.ask();
    this.#upkeep.committed();
    this.#windows.committed();
  }

  #onRevised(revised: Windows): void {
    if (this.#closed) return;
    this.#onWindows?.(revised);
    this.#channel.post({ hint: 'windows', revised });
  }

  async #sendStatus(): Promise<void> {
    await this.#guard(() => this.#readCounts());
    const lastError = this.#ownError ?? this.#push.lastError ?? this.#inMemory;
    const { guarded = false, wiped } = this.#journal ?? {};
    if (this.#journal && !guarded) this.#askLater();
    const status: LogStatus = {
      ...this.#counts,
      guarded,
      ...(wiped && { wiped }),
      dropped: this.#counts.dropped + this.#appends.shed,
      storage: this.#inMemory ? 'memory' : 'indexeddb',
      online: this.#network && !this.#offline,
      leader: this.#leading,
      state: this.#offline ? 'offline' : this.#push.state,
      ...(lastError !== undefined && { lastError }),
    };
    this.#onStatus(status, this.#counted);
  }

  #askLater(): void {
    this.#askingLater ??= hostPorts.after(UNGUARDED_MS, () => {
      this.#askingLater = undefined;
      this.#publish.ask();
    });
  }

  async #readCounts(): Promise<void> {
    await this.#appends.countShed();
    const { count } = this.#appends;
    const { head, bytes, acked, ...counts } = await readProgress(this.#storage);
    await this.#journal?.release(acked);
    this.#counts = { ...counts, committed: head, bytes: await this.#fit(bytes) };
    this.#counted = count;
    this.#offline = await this.#isOffline();
  }

  /** The log's size, once what is at the edge has made room where room is short. */
  async #fit(bytes: number): Promise<number> {
    this.#budget.observe(bytes);
    if (!this.#budget.tight) return bytes;
    await this.#upkeep.free();
    const { bytes: left } = await this.#storage.stats();
    this.#budget.observe(left);
    return left;
  }

  /** What runs in the background fails into the status, and takes its error back when it works again. */
  async #guard(task: () => Promise<unknown>): Promise<void> {
    try {
      await task();
      this.#ownError = undefined;
    } catch (error) {
      this.#ownError = asWireError(error);
    }
  }
}
