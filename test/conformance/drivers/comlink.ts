/** The near side of the IndexedDB driver in a Web Worker. */
import { wrap } from 'comlink';
import { deleteDB } from 'idb';
import { open, remoteStorage, type RemoteStorage } from '../../../src/storage/remote.ts';
import type { StorageHarness } from '../../../src/testing.ts';
import { damageRecord } from './indexeddb.ts';
import type { IndexedDbHost } from './indexeddb-worker.ts';

let harnesses = 0;

export function comlinkHarness(): StorageHarness {
  const worker = new Worker(new URL('./indexeddb-worker.ts', import.meta.url), { type: 'module' });
  const host = wrap<IndexedDbHost>(worker);
  const prefix = `comlink-${Date.now()}-${++harnesses}-`;
  const names = new Set<string>();
  return {
    durable: true,
    async open(log) {
      names.add(`millrace:${prefix}${log}`);
      const number = open(await host.open(prefix + log));
      const method =
        (_: unknown, name: keyof RemoteStorage) =>
        (...given: unknown[]) =>
          host.call(number, name, given);
      return remoteStorage(new Proxy({} as RemoteStorage, { get: method as never }));
    },
    damage: (log, text) => damageRecord(`millrace:${prefix}${log}`, text),
    async cleanup() {
      worker.terminate();
      for (const name of names) await deleteDB(name);
    },
  };
}
