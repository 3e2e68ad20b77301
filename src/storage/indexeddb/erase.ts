/** Empties a log's database for good, in one transaction: its events, and all that it knows, but for what is to be kept. */
import type { StoredValue } from '../storage.ts';
import { answer, completion } from './request.ts';
import { openLogDatabase } from './schema.ts';

/** The values that the log has, as the transaction sees them. */
export interface LogValues {
  get(key: string): Promise<StoredValue | undefined>;
  keys(prefix: string): Promise<readonly string[]>;
}

export type KeptValues = readonly (readonly [key: string, value: StoredValue])[];

/**
 * Whoever has the log open goes on with an empty one, whose positions begin anew. `keep` says what is put back, and waits
 * for nothing but the values.
 */
export async function eraseLogDatabase(
  log: string,
  keep: (values: LogValues) => Promise<KeptValues>,
): Promise<void> {
  const database = await openLogDatabase(log, () => {});
  try {
    const transaction = database.transaction(database.objectStoreNames, 'readwrite', {
      durability: 'strict',
    });
    const values = transaction.objectStore('values');
    const run = async (): Promise<void> => {
      const kept = await keep({
        get: (key) => answer<StoredValue | undefined>(values.get(key)),
        keys: async (prefix) => {
          const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
          return (await answer(values.getAllKeys(range))) as string[];
        },
      });
      for (const name of database.objectStoreNames) transaction.objectStore(name).clear();
      for (const [key, value] of kept) values.put(value, key);
    };
    await Promise.all([run(), completion(transaction)]);
  } finally {
    database.close();
  }
}
