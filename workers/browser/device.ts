/**
 * This device's log as it comes and goes: it is open while it may be written to, and opened anew when consent is given or
 * withdrawn, in whatever tab, and when the device is forgotten. Who asks meanwhile waits for the next one.
 */
import { hasCode, type MillraceError } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import { openMemorySegments } from '../../src/storage/memory-segments.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { OnStatus } from './answers.ts';
import { Consent, type Decision } from './consent.ts';
import type { Batch } from './device-appends.ts';
import { DeviceLog } from './device-log.ts';
import { Forgetting, hasPending } from './forgetting.ts';
import { Intake } from './intake.ts';
import { Journal } from './journal.ts';
import type { JournalFile } from './journal-folder.ts';
import { sweepJournal } from './journal-state.ts';
import {
  startingStatus,
  type Appended,
  type Forgotten,
  type HandedBatch,
  type LogSettings,
  type LogStatus,
  type Windows,
} from './worker-api.ts';

/** A database that fails is tried again for ten seconds. */
const OPEN_RETRIES = 40;
const OPEN_RETRY_MS = 250;

export class Device {
  readonly #settings: LogSettings;
  readonly #onStatus: OnStatus;
  readonly #consent: Consent;
  readonly #forgetting: Forgetting;
  readonly #intake = new Intake(
    hostPorts,
    (batches) => this.#append(batches),
    () => this.#tell(...this.#status),
  );
  #status: Parameters<OnStatus> = [startingStatus(), 0];
  #log: Promise<DeviceLog>;
  /** Where the log is in no database. */
  #memory: Storage | undefined;
  #onWindows: ((revised: Windows) => void) | undefined;
  /** Files of the journal that were not closed when the browser took the database away. */
  readonly #kept: JournalFile[] = [];
  /** Appends that came down in all logs so far: the page counts on from them. */
  #appends = 0;
  /** When another tab forgot the device: what this one's page had captured before is not to be kept. */
  #forgottenAt = 0;

  constructor(settings: LogSettings, onStatus: OnStatus) {
    this.#settings = settings;
    this.#onStatus = onStatus;
    this.#consent = new Consent(settings, onStatus, (forgottenAt) => this.#changed(forgottenAt));
    this.#forgetting = new Forgetting(settings);
    this.#log = this.#open();
    this.#log.catch(() => {});
  }

  /** The open log. Rejects with `consent.missing` while there may be none. */
  get log(): Promise<DeviceLog> {
    return this.#log;
  }

  append(batch: HandedBatch): Promise<Appended> {
    return this.#intake.add(batch);
  }

  async watchWindows(onRevised: (revised: Windows) => void): Promise<void> {
    this.#onWindows = onRevised;
    (await this.#log).watchWindows(onRevised);
  }

  async decide(decision: Decision): Promise<void> {
    if (!this.#consent.waiting) return this.#reopen(undefined, () => this.#consent.decide(decision));
    await this.#consent.decide(decision);
    this.#consent.wake();
  }

  /** `at`: what the page's other tabs had captured until then is not to be kept either. */
  async forget(at: number): Promise<Forgotten> {
    const erase = async (): Promise<void> => {
      await this.#forgetting.erase(this.#memory);
      this.#consent.tell(at);
    };
    if (this.#consent.waiting) await erase();
    else await this.#reopen(undefined, erase);
    return { edge: (await this.#forgetting.settle()) ? 'erased' : 'pending' };
  }

  async close(): Promise<void> {
    this.#consent.close();
    this.#forgetting.stop();
    await this.#intake.close();
    await this.#log.then(
      (log) => log.close(),
      () => {},
    );
  }

  async #append(batches: readonly Batch[]): Promise<readonly Appended[]> {
    const opened = this.#log;
    const log = await opened;
    try {
      const appended = await log.append(batches, this.#forgottenAt);
      this.#appends += batches.length;
      return appended;
    } catch (error) {
      if (this.#log === opened || !hasCode(error, 'storage.closed')) throw error;
      return this.#append(batches);
    }
  }

  #changed(forgottenAt: number): void {
    this.#forgottenAt = Math.max(this.#forgottenAt, forgottenAt);
    const swept = (): Promise<void> => sweepJournal(this.#settings.log);
    if (!this.#consent.wake()) void this.#reopen(undefined, forgottenAt > 0 ? swept : undefined);
  }

  /** Closes the log and opens the next. Resolves, or rejects, as what is done `between`. */
  #reopen(
    open = () => this.#open(),
    between: () => Promise<void> = async () => {},
    lost = false,
  ): Promise<void> {
    const closed = this.#log.then(
      async (log) => void this.#kept.push(...(await log.close(lost))),
      () => {},
    );
    const done = closed.then(between);
    this.#log = done.then(open, open);
    this.#log.catch(() => {});
    return done;
  }

  async #open(): Promise<DeviceLog> {
    try {
      const storage = await this.#consent.admit(() => this.#openDatabase());
      const { log, durability } = this.#settings;
      this.#memory = undefined;
      return this.#start(
        storage,
        await Journal.open(log, storage, durability === 'strict', this.#kept.splice(0)),
      );
    } catch (error) {
      if (hasCode(error, 'consent.missing')) throw error;
      return this.#openInMemory(error as MillraceError);
    }
  }

  async #openInMemory(error: MillraceError): Promise<DeviceLog> {
    const { log } = this.#settings;
    this.#memory = await this.#consent.admit(async () => openMemorySegments(log));
    return this.#start(this.#memory, undefined, error);
  }

  /**
   * Waits as long as another tab holds an older version, and for a while where the database fails: what is captured
   * meanwhile waits, for a receipt that is given in memory holds no longer than the page.
   */
  async #openDatabase(): Promise<Storage> {
    const { log, durability } = this.#settings;
    for (let failures = 0; ;) {
      try {
        const storage = await openIndexedDb({
          log,
          // Emptied, replaced or upgraded by a newer version of this code: it is looked at anew.
          onLost: () => void this.#reopen(undefined, undefined, true),
          ...(durability !== undefined && { durability }),
        });
        if (await hasPending(storage)) void this.#forgetting.settle();
        return storage;
      } catch (error) {
        const reason = hasCode(error, 'storage.open-failed') ? error.details.reason : undefined;
        if (reason === 'failed' && failures++ < OPEN_RETRIES)
          await new Promise<void>((done) => hostPorts.after(OPEN_RETRY_MS, done));
        else if (reason !== 'blocked') throw error;
        this.#onStatus({ ...startingStatus(), lastError: (error as MillraceError).toWire() }, 0);
      }
    }
  }

  #start(storage: Storage, journal: Journal | undefined, error?: MillraceError): DeviceLog {
    const before = this.#appends;
    const log = new DeviceLog({
      storage,
      journal,
      inMemory: error?.toWire(),
      settings: this.#settings,
      online: navigator.onLine,
      onStatus: (status, appends) => this.#tell(status, before + appends),
    });
    if (this.#onWindows !== undefined) log.watchWindows(this.#onWindows);
    return log;
  }

  #tell(status: LogStatus, appends: number): void {
    this.#status = [status, appends];
    const { trouble } = this.#intake;
    this.#onStatus({ ...status, ...(trouble && { lastError: trouble.toWire() }) }, appends);
  }
}
