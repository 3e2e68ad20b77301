/**
 * Forgets a device: its log is emptied in one transaction, unsent events and all, and the edge is asked to erase what it
 * has of the log's producers, again and again until it says that it did. A kill in between leaves that still to be done.
 */
import { hasCode } from '../../src/errors.ts';
import { hostFetch, hostPorts, type Undo } from '../../src/ports.ts';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import { eraseLogDatabase, type KeptValues, type LogValues } from '../../src/storage/indexeddb/erase.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { Backoff } from '../../src/sync/backoff.ts';
import { createAsk, type Ask } from '../../src/sync/http-ask.ts';
import { syncKeys, type ProducerIdentity } from '../../src/sync/producer-state.ts';
import { syncPaths } from '../../src/sync/protocol.ts';
import { CONSENT_KEY, logExists } from './consent.ts';
import { forgetJournal, sweepJournal } from './journal-state.ts';
import type { LogSettings } from './worker-api.ts';

const PENDING = 'forget/';

export class Forgetting {
  readonly #log: string;
  readonly #ask: Ask;
  readonly #backoff = new Backoff(hostPorts);
  /** To be erased at the edge, where there is no database to keep that in. */
  #unstored: readonly string[] = [];
  #running = false;
  #undo: Undo | undefined;

  constructor({ log, endpoint, key }: LogSettings) {
    this.#log = log;
    this.#ask = createAsk({ endpoint, key, fetch: hostFetch, ports: hostPorts });
  }

  /** Empties the log. `memory`: it, where it is in no database. */
  async erase(memory: Storage | undefined): Promise<void> {
    if (memory !== undefined) {
      const former = (await memory.list(syncKeys.former)).map(([key]) => key);
      const values = { get: async (key: string) => memory.get(key), keys: async () => former };
      this.#unstored = await producersOf(values);
      return;
    }
    // First: a kill in between must not bring back what is gone.
    await forgetJournal(this.#log);
    if (await logExists(this.#log)) await eraseLogDatabase(this.#log, keptValues);
    await sweepJournal(this.#log);
  }

  /** Whether the edge has erased all that it was ever to. If not, it is asked again later. */
  async settle(): Promise<boolean> {
    if (this.#running) return false;
    this.#running = true;
    this.#undo?.();
    try {
      await this.#settle();
      this.#backoff.reset();
      return true;
    } catch (error) {
      // An edge that refuses does so again: it is asked when the log is opened next.
      if (!hasCode(error, 'sync.refused'))
        this.#undo = hostPorts.after(this.#backoff.failed(), () => void this.settle());
      return false;
    } finally {
      this.#running = false;
    }
  }

  stop(): void {
    this.#undo?.();
    this.#running = true;
  }

  async #settle(): Promise<void> {
    for (const producer of this.#unstored) await this.#erase(producer);
    this.#unstored = [];
    if (!(await logExists(this.#log))) return;
    const storage = await openIndexedDb({ log: this.#log });
    try {
      for (const [key] of await storage.list(PENDING)) {
        await this.#erase(key.slice(PENDING.length));
        await storage.commit([{ events: [], put: [[key, undefined]] }]);
      }
    } finally {
      await storage.close();
    }
  }

  async #erase(producer: string): Promise<void> {
    await this.#ask({
      path: `${syncPaths.producers}/${encodeURIComponent(producer)}`,
      method: 'DELETE',
    });
  }
}

/** Whether an edge is still to be asked. */
export async function hasPending(storage: Storage): Promise<boolean> {
  return (await storage.list(PENDING, { limit: 1 })).length > 0;
}

/** The decision on consent, and which producers the edge is to erase. */
async function keptValues(values: LogValues): Promise<KeptValues> {
  const consent = await values.get(CONSENT_KEY);
  const producers = await producersOf(values);
  const pending = [...(await values.keys(PENDING)), ...producers.map((id) => PENDING + id)];
  return [
    ...pending.map((key) => [key, true] as const),
    ...(consent === undefined ? [] : [[CONSENT_KEY, consent] as const]),
  ];
}

/** Who the log is to the edge, and was before. */
async function producersOf(values: LogValues): Promise<readonly string[]> {
  const now = (await values.get(syncKeys.producer)) as unknown as ProducerIdentity | undefined;
  const former = await values.keys(syncKeys.former);
  const ids = former.map((key) => key.slice(syncKeys.former.length));
  return now === undefined ? ids : [...ids, now.id];
}
