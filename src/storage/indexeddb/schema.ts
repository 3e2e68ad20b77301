/** The layout of a log's IndexedDB database, and how it is opened. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { hostPorts, type Undo } from '../../ports.ts';
import type { SegmentHead } from '../segments/tables.ts';
import type { Segment } from '../segments/segment.ts';
import type { Position } from '../position.ts';
import type { ProducerHead, StoredValue } from '../storage.ts';

/** A term beside its segment's first position, so that one range of the index is one term's segments in order. */
export type Posting = [term: string, first: Position];

/**
 * A segment as it is stored: its terms as postings, and its ordered ids left out where it has none, so that neither
 * takes an index entry that says nothing.
 */
export interface SegmentRecord extends Omit<Segment, 'terms' | 'firstId' | 'lastId'> {
  readonly postings: Posting[];
  readonly firstId?: string;
  readonly lastId?: string;
}

export interface LogSchema extends DBSchema {
  state: { key: string; value: SegmentHead };
  segments: {
    key: Position;
    value: SegmentRecord;
    indexes: { postings: Posting; firstId: string; maxTime: number };
  };
  unordered: { key: string; value: Position };
  subjects: { key: string; value: number };
  producers: { key: string; value: ProducerHead };
  values: { key: string; value: StoredValue };
}

const LAYOUT = 1;

/** How long another tab may hold the database in an older layout. */
const BLOCKED_MS = 5_000;

/**
 * Opens it, and lets it go where another tab is to upgrade or delete it: `onLost` is called once the connection is of no
 * use any more, by whoever's doing.
 */
export function openLogDatabase(log: string, onLost: () => void): Promise<IDBPDatabase<LogSchema>> {
  return new Promise((resolve, reject) => {
    let gaveUp = false;
    let undo: Undo | undefined;
    const giveUp = (): void => {
      gaveUp = true;
      reject(new Error('another tab holds an older version of it: close the other tabs'));
    };
    const blocked = (): void => void (undo = hostPorts.after(BLOCKED_MS, giveUp));
    openDatabase(log, blocked, onLost).then((database) => {
      undo?.();
      if (gaveUp) database.close();
      else resolve(database);
    }, reject);
  });
}

async function openDatabase(
  log: string,
  blocked: () => void,
  onLost: () => void,
): Promise<IDBPDatabase<LogSchema>> {
  const database = await openDB<LogSchema>(`millrace:${log}`, LAYOUT, {
    blocked,
    blocking() {
      // At once, or the other tab would wait for this one for ever. What is under way still ends.
      database.close();
      onLost();
    },
    terminated: onLost,
    upgrade(upgraded) {
      const segments = upgraded.createObjectStore('segments', { keyPath: 'first' });
      segments.createIndex('postings', 'postings', { multiEntry: true });
      segments.createIndex('firstId', 'firstId');
      segments.createIndex('maxTime', 'maxTime');
      for (const store of ['state', 'unordered', 'subjects', 'producers', 'values'] as const) {
        upgraded.createObjectStore(store);
      }
    },
  });
  return database;
}
