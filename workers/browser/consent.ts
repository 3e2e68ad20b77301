/**
 * Whether this device's visitor has agreed to be recorded. The decision stands in the log itself, the same in all tabs and
 * after any kill. Where consent is required nothing is stored before it, not even an empty database.
 */
import { MillraceError } from '../../src/errors.ts';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { OnStatus } from './answers.ts';
import { noteInJournal, readJournalState, sweepJournal } from './journal-state.ts';
import { startingStatus, type LogSettings } from './worker-api.ts';

export type Decision = 'granted' | 'withdrawn';

export const CONSENT_KEY = 'consent';

export class Consent {
  readonly #settings: LogSettings;
  readonly #onStatus: OnStatus;
  readonly #channel: BroadcastChannel;
  /** For the time of this worker, where the decision could not be stored. */
  #unstored: Decision | undefined;
  #wake: ((error?: MillraceError) => void) | undefined;

  /** `onChange`: another tab has decided, or forgotten the device. */
  constructor(settings: LogSettings, onStatus: OnStatus, onChange: (forgottenAt: number) => void) {
    this.#settings = settings;
    this.#onStatus = onStatus;
    this.#channel = new BroadcastChannel(`millrace-consent:${settings.log}`);
    this.#channel.onmessage = ({ data }) => onChange(data as number);
  }

  /**
   * The storage, once it may be written to. What is captured meanwhile is held where that is configured.
   *
   * @throws MillraceError `consent.missing` where it may not.
   */
  async admit(open: () => Promise<Storage>): Promise<Storage> {
    const { consent, beforeConsent } = this.#settings;
    for (;;) {
      const { log } = this.#settings;
      const noted = (await readJournalState(log))?.consent;
      const storage = (await this.#mayOpen(noted)) ? await open() : undefined;
      const stored = (await storage?.get(CONSENT_KEY)) as Decision | undefined;
      const decision = this.#unstored ?? stored ?? noted;
      if (storage && (decision ?? consent) === 'granted') return storage;
      await storage?.close();
      await sweepJournal(log);
      const state = decision === 'withdrawn' ? decision : 'no-consent';
      this.#onStatus({ ...startingStatus(), state }, 0);
      if (decision !== undefined || beforeConsent !== 'hold') throw consentMissing(decision);
      await new Promise<void>((resolve, reject) => {
        this.#wake = (error) => (error ? reject(error) : resolve());
      });
    }
  }

  /** Keeps the decision, safe from a power cut too, and tells the other tabs. */
  async decide(decision: Decision): Promise<void> {
    this.#unstored = decision;
    await noteInJournal(this.#settings.log, { consent: decision });
    const storage = await openIndexedDb({ log: this.#settings.log, durability: 'strict' });
    try {
      await storage.commit([{ events: [], put: [[CONSENT_KEY, decision]] }]);
      this.#unstored = undefined;
    } finally {
      await storage.close();
      this.tell();
    }
  }

  /** The other tabs look again at what is stored. `forgottenAt`: the device was forgotten, in ms since the Unix epoch. */
  tell(forgottenAt = 0): void {
    this.#channel.postMessage(forgottenAt);
  }

  get waiting(): boolean {
    return this.#wake !== undefined;
  }

  /** Whether somebody waited for a decision, and looks again. */
  wake(error?: MillraceError): boolean {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.(error);
    return wake !== undefined;
  }

  close(): void {
    this.wake(consentMissing(undefined));
    this.#channel.close();
  }

  /** To look for a decision must not make a database. */
  async #mayOpen(noted: Decision | undefined): Promise<boolean> {
    return (
      [this.#settings.consent, this.#unstored, noted].includes('granted') ||
      (await logExists(this.#settings.log))
    );
  }
}

/** Where the browser cannot tell, as if it did. */
export async function logExists(log: string): Promise<boolean> {
  try {
    const databases = await indexedDB.databases();
    return databases.some(({ name }) => name === `millrace:${log}`);
  } catch {
    return true;
  }
}

export function consentMissing(decision: Decision | undefined): MillraceError<'consent.missing'> {
  const text =
    decision === 'withdrawn'
      ? 'the visitor has withdrawn consent: nothing is captured until it is granted again'
      : 'the visitor has not agreed yet: nothing is captured before grantConsent()';
  return new MillraceError('consent.missing', text, { withdrawn: decision === 'withdrawn' });
}
