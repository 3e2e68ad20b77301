/** The IndexedDB driver in this very page, with calls that can be made to fail. */
import { deleteDB, openDB } from 'idb';
import { openIndexedDb } from '../../../src/storage/indexeddb.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import type { StorageHarness } from '../../../src/testing.ts';

let harnesses = 0;

export function indexedDbHarness(): StorageHarness {
  const prefix = `laws-${Date.now()}-${++harnesses}-`;
  const opened: Storage[] = [];
  const names = new Set<string>();
  const open = async (log: string): Promise<Storage> => {
    const storage = await openIndexedDb({ log: prefix + log });
    names.add(`millrace:${prefix}${log}`);
    opened.push(storage);
    return storage;
  };
  return {
    durable: true,
    open,
    openFailing: async (log, failAt) => {
      const storage = await open(log);
      return { ...storage, commit: (batch) => withFailingCalls(failAt, () => storage.commit(batch)) };
    },
    openBroken: async () => {
      // A database of this name from a later version of the layout refuses to be opened as an earlier one.
      const name = `${prefix}broken`;
      names.add(`millrace:${name}`);
      await makeNewer(`millrace:${name}`);
      return openIndexedDb({ log: name });
    },
    damage: (log, text) => damageRecord(`millrace:${prefix}${log}`, text),
    cleanup: async () => {
      for (const storage of opened) await storage.close();
      for (const name of names) await deleteDB(name);
    },
  };
}

const METHODS = ['get', 'getAll', 'put', 'delete', 'openCursor', 'openKeyCursor'] as const;

/** Runs the call while the n-th request to any object store throws. */
export async function withFailingCalls<T>(failAt: number, call: () => T | Promise<T>): Promise<T> {
  const prototype = IDBObjectStore.prototype as unknown as Record<
    string,
    (...given: unknown[]) => unknown
  >;
  const originals = METHODS.map((name) => [name, prototype[name]!] as const);
  let calls = 0;
  for (const [name, original] of originals) {
    prototype[name] = function (this: IDBObjectStore, ...given) {
      if (++calls === failAt)
        throw new DOMException(`injected failure at call ${failAt}`, 'UnknownError');
      return original.apply(this, given);
    };
  }
  try {
    return await call();
  } finally {
    for (const [name, original] of originals) prototype[name] = original;
  }
}

/** Overwrites the first byte of the text with a line break, in the record of the segment that holds it. */
export async function damageRecord(name: string, text: string): Promise<void> {
  const database = await openDB(name);
  const transaction = database.transaction('segments', 'readwrite');
  for (const record of (await transaction.store.getAll()) as { lines: Uint8Array }[]) {
    const at = new TextDecoder('latin1').decode(record.lines).indexOf(text);
    if (at < 0) continue;
    record.lines[at] = 10;
    await transaction.store.put(record);
  }
  await transaction.done;
  database.close();
}

function makeNewer(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 99);
    request.addEventListener('error', () => reject(request.error));
    request.addEventListener('success', () => {
      request.result.close();
      resolve();
    });
  });
}
