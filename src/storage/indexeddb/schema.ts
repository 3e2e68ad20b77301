/** The layout of a log's IndexedDB database. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
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

export function openLogDatabase(log: string): Promise<IDBPDatabase<LogSchema>> {
  return openDB<LogSchema>(`millrace:${log}`, LAYOUT, {
    upgrade(database) {
      const segments = database.createObjectStore('segments', { keyPath: 'first' });
      segments.createIndex('postings', 'postings', { multiEntry: true });
      segments.createIndex('firstId', 'firstId');
      segments.createIndex('maxTime', 'maxTime');
      for (const store of ['state', 'unordered', 'subjects', 'producers', 'values'] as const) {
        database.createObjectStore(store);
      }
    },
  });
}
