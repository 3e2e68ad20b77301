/** The Web Worker of the page's client: opens the log, and answers its page by Comlink. */
import { expose } from 'comlink';
import { MillraceError } from '../../src/errors.ts';
import type { Query } from '../../src/storage/storage.ts';
import { openIndexedDb } from '../../src/storage/indexeddb.ts';
import { listDeadLetters, type DeadLetter, type DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import { DeviceLog } from './device-log.ts';
import {
  outcomeOf,
  type Appended,
  type LinePage,
  type LogSettings,
  type OnStatus,
  type Outcome,
  type Windows,
  type WorkerApi,
} from './worker-api.ts';

class LogWorker implements WorkerApi {
  #log: Promise<DeviceLog> = Promise.reject(notOpened());

  constructor() {
    this.#log.catch(() => {});
  }

  open(settings: LogSettings, onStatus: OnStatus): Promise<Outcome<void>> {
    this.#log = openLog(settings, onStatus);
    return outcomeOf(async () => void (await this.#log));
  }

  append(lines: readonly string[], separately: boolean): Promise<Outcome<Appended>> {
    return this.#ask((log) => log.append(lines, separately));
  }

  query(query: Query): Promise<Outcome<LinePage>> {
    return this.#ask((log) => log.query(query));
  }

  windows(range: WindowRange): Promise<Outcome<Windows>> {
    return this.#ask((log) => log.windows(range));
  }

  watchWindows(onRevised: (results: Windows) => void): Promise<Outcome<void>> {
    return this.#ask((log) => log.watchWindows(onRevised));
  }

  deadLetters(options: DeadLetterOptions): Promise<Outcome<readonly DeadLetter[]>> {
    return this.#ask((log) => listDeadLetters(log.storage, options));
  }

  setOffline(offline: boolean): Promise<Outcome<void>> {
    return this.#ask((log) => log.setOffline(offline));
  }

  network(online: boolean): void {
    void this.#ask((log) => log.network(online));
  }

  close(): Promise<Outcome<void>> {
    return this.#ask((log) => log.close());
  }

  #ask<T>(task: (log: DeviceLog) => T | Promise<T>): Promise<Outcome<T>> {
    return outcomeOf(async () => task(await this.#log));
  }
}

async function openLog(settings: LogSettings, onStatus: OnStatus): Promise<DeviceLog> {
  const { log, durability } = settings;
  const storage = await openIndexedDb({ log, ...(durability !== undefined && { durability }) });
  return new DeviceLog({ storage, settings, online: navigator.onLine, onStatus });
}

function notOpened(): MillraceError<'storage.closed'> {
  return new MillraceError('storage.closed', 'no log is open yet: open one first', { log: '' });
}

const worker = new LogWorker();
expose(worker);
addEventListener('online', () => worker.network(true));
addEventListener('offline', () => worker.network(false));
