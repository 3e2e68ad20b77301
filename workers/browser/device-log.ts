/**
 * The log of a device, open in one tab's worker: appends, leads the sync if it is this tab's turn, keeps the windows and
 * the status. A part that fails says so in the status, and leaves the others alone.
 */
import { MillraceError, type WireError } from '../../src/errors.ts';
import type { Event } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { hostFetch, hostPorts, type Undo } from '../../src/ports.ts';
import type { CommitResult, Position, Query, Storage } from '../../src/storage/storage.ts';
import { httpTransport } from '../../src/sync/http-transport.ts';
import { readProgress } from '../../src/sync/progress.ts';
import type { PushStatus } from '../../src/sync/pusher.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import { Coalesced } from './coalesced.ts';
import { DeviceUpkeep } from './device-upkeep.ts';
import { DeviceWindows } from './device-windows.ts';
import { Leader } from './leader.ts';
import { TabChannel, type TabHint } from './tab-channel.ts';
import {
  asWireError,
  type Appended,
  type LinePage,
  type LogSettings,
  type LogStatus,
  type OnStatus,
  type Windows,
} from './worker-api.ts';

export interface DeviceLogOptions {
  readonly storage: Storage;
  readonly settings: LogSettings;
  readonly online: boolean;
  readonly onStatus: OnStatus;
}

const STATUS_MS = 30;
const OFFLINE_KEY = 'sync/offline';

export class DeviceLog {
  readonly #storage: Storage;
  readonly #onStatus: OnStatus;
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
  #counts = { committed: 0, waiting: 0, acknowledged: 0, rejected: 0 };
  #offline = false;
  /** Appends that came down, and how many of them the counts know of. */
  #appends = 0;
  #counted = 0;
  #closed = false;

  constructor({ storage, settings, online, onStatus }: DeviceLogOptions) {
    this.#storage = storage;
    this.#onStatus = onStatus;
    this.#network = online;
    this.#channel = new TabChannel(settings.log, (hint) => this.#onHint(hint));
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
    this.#leader = settings.sync ? this.#startLeader(settings) : undefined;
    this.#channel.post({ hint: 'ask' });
    this.#publish.ask();
  }

  /** All in one transaction. An event that is refused leaves the others alone. */
  async append(lines: readonly string[], separately: boolean): Promise<Appended> {
    const batch = lines.map(decode);
    const events = batch.filter((event): event is Event => !(event instanceof MillraceError));
    const [together] = separately ? [] : await this.#storage.commit([{ events }]);
    // Refused as one: the events go one by one, so that the one to blame is the only one to fail.
    const places = together?.ok
      ? together.positions
      : (await this.#storage.commit(events.map((event) => ({ events: [event] })))).map(placeOf);
    this.#appends++;
    return appended(batch, places);
  }

  async query(query: Query): Promise<LinePage> {
    const { events, next, more, head } = await this.#storage.read(query);
    return { lines: events.map(({ position, line }) => [position, line]), next, more, head };
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

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#undo();
    this.#publish.stop();
    this.#upkeep.stop();
    this.#windows.stop();
    await this.#leader?.stop();
    this.#channel.close();
    await this.#storage.close();
  }

  #startLeader({ log, endpoint }: LogSettings): Leader {
    return new Leader({
      log,
      storage: this.#storage,
      transport: httpTransport({ endpoint, fetch: hostFetch, ports: hostPorts }),
      offline: () => this.#isOffline(),
      onLead: (leading) => {
        this.#leading = leading;
        this.#publish.ask();
      },
      onStatus: (status) => this.#onPush(status),
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
    } else if (!this.#leading) {
      const { hint: _, ...push } = hint;
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
    await this.#guard(async () => {
      const appends = this.#appends;
      const { head, ...counts } = await readProgress(this.#storage);
      this.#counts = { ...counts, committed: head };
      this.#counted = appends;
      this.#offline = await this.#isOffline();
    });
    const lastError = this.#ownError ?? this.#push.lastError;
    const status: LogStatus = {
      ...this.#counts,
      online: this.#network && !this.#offline,
      leader: this.#leading,
      state: this.#offline ? 'offline' : this.#push.state,
      ...(lastError !== undefined && { lastError }),
    };
    this.#onStatus(status, this.#counted);
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

function decode(line: string): Event | MillraceError {
  try {
    return decodeLine(line);
  } catch (error) {
    return error as MillraceError;
  }
}

function placeOf(result: CommitResult): Position | MillraceError {
  return result.ok ? result.positions[0]! : result.error;
}

function appended(
  batch: readonly (Event | MillraceError)[],
  places: readonly (Position | MillraceError)[],
): Appended {
  const failed: { index: number; error: WireError }[] = [];
  let head = 0;
  let committed = 0;
  const positions = batch.map((event, index) => {
    const place = event instanceof MillraceError ? event : places[committed++]!;
    if (typeof place === 'number') {
      head = Math.max(head, place);
      return place;
    }
    failed.push({ index, error: place.toWire() });
    return 0;
  });
  return { positions, failed, head };
}
