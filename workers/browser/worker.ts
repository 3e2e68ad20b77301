/** The Web Worker of the page's client: opens the log, takes the page's batches, and answers its calls by Comlink. */
import { expose } from 'comlink';
import { hasCode, MillraceError } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import type { Page, Query } from '../../src/storage/storage.ts';
import { listDeadLetters, type DeadLetter, type DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import { dropDeadLetters, type RedriveOptions } from '../../src/sync/redrive.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import { Answers, type OnStatus } from './answers.ts';
import { Device } from './device.ts';
import type { DeviceLog } from './device-log.ts';
import {
  outcomeOf,
  type Appended,
  type Forgotten,
  type Handed,
  type HandedBatch,
  type LogSettings,
  type Windows,
  type WorkerCalls,
} from './worker-api.ts';

class LogWorker implements WorkerCalls {
  readonly #onStatus: OnStatus;
  #device: Device | undefined;

  constructor(onStatus: OnStatus) {
    this.#onStatus = onStatus;
  }

  async open(settings: LogSettings): Promise<void> {
    this.#device = new Device(settings, this.#onStatus);
    try {
      await this.#device.log;
    } catch (error) {
      // That there may be no log yet is no failure to open it: the status tells.
      if (!hasCode(error, 'consent.missing')) throw error;
    }
  }

  append(batch: HandedBatch): Promise<Appended> {
    return this.#opened().append(batch);
  }

  async query(query: Query = {}): Promise<Page> {
    return (await this.#log()).query(query);
  }

  async windows(range: WindowRange = {}): Promise<Windows> {
    return (await this.#log()).windows(range);
  }

  watchWindows(onRevised: (results: Windows) => void): Promise<void> {
    return this.#opened().watchWindows(onRevised);
  }

  async deadLetters(options: DeadLetterOptions = {}): Promise<readonly DeadLetter[]> {
    return listDeadLetters((await this.#log()).storage, options);
  }

  async dropDeadLetters(options: RedriveOptions = {}): Promise<number> {
    return dropDeadLetters((await this.#log()).storage, options);
  }

  async resendDeadLetters(options: RedriveOptions = {}): Promise<number> {
    return (await this.#log()).resendDeadLetters(options);
  }

  async setOffline(offline: boolean): Promise<void> {
    return (await this.#log()).setOffline(offline);
  }

  async network(online: boolean): Promise<void> {
    (await this.#log()).network(online);
  }

  decide(consent: 'granted' | 'withdrawn'): Promise<void> {
    return this.#opened().decide(consent);
  }

  forget(at: number): Promise<Forgotten> {
    return this.#opened().forget(at);
  }

  async close(): Promise<void> {
    await this.#device?.close();
  }

  #opened(): Device {
    if (this.#device !== undefined) return this.#device;
    throw new MillraceError('storage.closed', 'no log is open yet: open one first', { log: '' });
  }

  #log(): Promise<DeviceLog> {
    return this.#opened().log;
  }
}

const answers = new Answers(hostPorts, (told) => postMessage(told));
const worker = new LogWorker((status, appends) => answers.status(status, appends));

function call(name: keyof WorkerCalls, ...asked: unknown[]): Promise<unknown> {
  const run = worker[name] as (...asked: unknown[]) => Promise<unknown>;
  return outcomeOf(() => run.apply(worker, asked));
}

addEventListener('message', ({ data }: MessageEvent<Handed | { readonly type: unknown }>) => {
  if (typeof data === 'number') return answers.hurry(data);
  // Comlink's own come to the same port.
  if ('type' in data) return;
  const { number, hurry } = data;
  if (hurry) answers.hurry(number);
  void outcomeOf(() => worker.append(data)).then((outcome) => answers.add([number, outcome]));
});
expose(call);
addEventListener('online', () => void call('network', true));
addEventListener('offline', () => void call('network', false));
