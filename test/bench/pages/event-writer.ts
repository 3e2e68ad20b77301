/** The peer behind Comlink: a worker that does nothing with an event, or writes it in a transaction of its own. */
import { expose } from 'comlink';
import { openDB, type IDBPDatabase } from 'idb';

let database: IDBPDatabase | undefined;

const writer = {
  ignore(_line: string): void {},
  async open(name: string): Promise<void> {
    database = await openDB(name, 1, {
      upgrade(raw) {
        const events = raw.createObjectStore('events', { keyPath: 'id' });
        for (const index of ['type', 'correlation_id', 'timestamp']) events.createIndex(index, index);
      },
    });
  },
  async write(event: {
    readonly id: string;
    readonly type: string;
    readonly data: unknown;
  }): Promise<void> {
    await database!.put('events', event);
  },
  close(): void {
    database?.close();
  },
};

export type EventWriter = typeof writer;

expose(writer);
