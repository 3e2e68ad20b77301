/** The IndexedDB driver in a Web Worker, behind Comlink: one worker, as many logs as are asked for. */
import { expose } from 'comlink';
import { openIndexedDb } from '../../../src/storage/indexeddb.ts';
import { outcome, serveStorage, type Outcome, type RemoteStorage } from '../../../src/storage/remote.ts';

const opened: RemoteStorage[] = [];

const host = {
  /** The number to call the log by. */
  open(log: string): Promise<Outcome<number>> {
    return outcome(async () => opened.push(serveStorage(await openIndexedDb({ log }))) - 1);
  },
  call(
    number: number,
    method: keyof RemoteStorage,
    given: readonly unknown[],
  ): Promise<Outcome<unknown>> {
    return (opened[number]![method] as (...given: readonly unknown[]) => Promise<Outcome<unknown>>)(
      ...given,
    );
  },
};

export type IndexedDbHost = typeof host;

expose(host);
