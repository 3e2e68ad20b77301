/** Finds events by id in a log of segments: ordered ids by search, the others by their entries. */
import { isUuidV7 } from '../../event/ids.ts';
import { columnsOf, type Columns } from './columns.ts';
import { hashText } from './hash.ts';
import type { Position } from '../position.ts';
import { wait, type Script } from './script.ts';
import { readLines } from './load-lines.ts';
import { isSound, type SegmentHeader } from './segment.ts';
import type { SegmentHead, SegmentTables } from './tables.ts';
import { StoredEvent } from '../stored-event.ts';

/** Where an id is stored; without its event where that is damaged. */
export interface Found {
  readonly position: Position;
  readonly stored?: StoredEvent;
}

/** Those of the ids that are stored and not trimmed. */
export function* findByIds(
  tables: SegmentTables,
  ids: readonly string[],
  head: SegmentHead,
): Script<ReadonlyMap<string, Found>> {
  const found = new Map<string, Found>();
  const entries = yield* wait(tables.unordered(ids));
  const search = new SegmentSearch(tables);
  for (const [id, position] of entries) found.set(id, yield* search.at(position));
  // Sorted, so that ids of one segment come together and it is loaded once.
  const searched = ids.filter((id) => !entries.has(id) && id <= head.maxId && isUuidV7(id)).toSorted();
  for (const id of searched) {
    const event = yield* search.byId(id);
    if (event !== undefined) found.set(id, event);
  }
  for (const [id, { position }] of found) if (position <= head.trimmed) found.delete(id);
  return found;
}

/** Keeps the segment it looked at last. */
class SegmentSearch {
  readonly #tables: SegmentTables;
  #header: SegmentHeader | undefined;
  #columns: Columns | undefined;

  constructor(tables: SegmentTables) {
    this.#tables = tables;
  }

  *at(position: Position): Script<Found> {
    const held = this.#header;
    if (held === undefined || position < held.first || position >= held.first + held.count) {
      const start = yield* wait(this.#tables.startOf(position));
      this.#hold(yield* wait(this.#tables.header(start)));
    }
    return { position, ...(yield* this.#event(position)) };
  }

  *byId(id: string): Script<Found | undefined> {
    const held = this.#header;
    if (held === undefined || held.firstId === '' || id < held.firstId || id > held.lastId) {
      this.#hold(yield* wait(this.#tables.headerOfId(id)));
    }
    const header = this.#header;
    if (header === undefined || id > header.lastId) return undefined;
    // Damaged columns tell no ids, and no event of theirs can be read: what comes again is stored again.
    if (!isSound(header)) return undefined;
    const ids = (this.#columns ??= columnsOf(header)).ids;
    const hash = hashText(id);
    for (let i = ids.indexOf(hash); i >= 0; i = ids.indexOf(hash, i + 1)) {
      const position = header.first + i;
      const { stored } = yield* this.#event(position);
      // A damaged event whose id has this hash is taken for the one that is looked for: nothing is stored twice.
      if (stored === undefined) return { position };
      if (stored.event.id === id) return { position, stored };
    }
    return undefined;
  }

  *#event(position: Position): Script<{ readonly stored?: StoredEvent }> {
    const header = this.#header!;
    const index = position - header.first;
    if (!isSound(header)) return {};
    const line = (yield* readLines(this.#tables, header, index, index + 1)).lineIfSound(index);
    return line === undefined ? {} : { stored: new StoredEvent(position, line) };
  }

  #hold(header: SegmentHeader | undefined): void {
    this.#header = header;
    this.#columns = undefined;
  }
}
