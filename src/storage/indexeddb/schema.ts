/** The layout of a log's IndexedDB database, and how it is opened. */
import { hostPorts, type Undo } from '../../ports.ts';
import type { Segment } from '../segments/segment.ts';
import type { Position } from '../position.ts';
import { answer } from './request.ts';

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

/**
 * `segments` are keyed by their first position; the others by what they are of: `state` by a name, `unordered` by id,
 * `subjects`, `producers` and `values` by theirs.
 */
export type StoreName = 'state' | 'segments' | 'unordered' | 'subjects' | 'producers' | 'values';

const LAYOUT = 1;

/** How long another tab may hold the database in an older layout, and the error's name where it holds it longer. */
const BLOCKED_MS = 5_000;
export const BLOCKED = 'BlockedError';

/**
 * Opens it, and lets it go where another tab is to upgrade or delete it: `onLost` is called once the connection is of no
 * use any more, by whoever's doing.
 */
export function openLogDatabase(log: string, onLost: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    let gaveUp = false;
    let undo: Undo | undefined;
    const giveUp = (): void => {
      gaveUp = true;
      const error = new Error('another tab holds an older version of it: close the other tabs');
      reject(Object.assign(error, { name: BLOCKED }));
    };
    const blocked = (): void => void (undo = hostPorts.after(BLOCKED_MS, giveUp));
    openDatabase(log, blocked, onLost).then((database) => {
      undo?.();
      if (gaveUp) database.close();
      else resolve(database);
    }, reject);
  });
}

async function openDatabase(log: string, blocked: () => void, onLost: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(`millrace:${log}`, LAYOUT);
  request.onblocked = blocked;
  request.onupgradeneeded = ({ oldVersion }) => upgrade(request.result, oldVersion);
  const database = await answer(request);
  database.onversionchange = () => {
    // At once, or the other tab would wait for this one for ever. What is under way still ends.
    database.close();
    onLost();
  };
  database.onclose = onLost;
  return database;
}

function upgrade(database: IDBDatabase, before: number): void {
  // A later layout adds a step of its own below: what is there already stays as it is.
  if (before > 0) return;
  const segments = database.createObjectStore('segments', { keyPath: 'first' });
  segments.createIndex('postings', 'postings', { multiEntry: true });
  segments.createIndex('firstId', 'firstId');
  segments.createIndex('maxTime', 'maxTime');
  const others: StoreName[] = ['state', 'unordered', 'subjects', 'producers', 'values'];
  for (const store of others) database.createObjectStore(store);
}
