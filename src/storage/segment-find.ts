/** Finds events by id in a log of segments: ordered ids by search, the others by their entries. */
import { isUuidV7 } from '../event/ids.ts';
import { hashText } from './hash.ts';
import { wait, type Script } from './script.ts';
import { columnsOf, linesOf, type Segment } from './segment.ts';
import type { SegmentHead, SegmentTables } from './segment-tables.ts';
import type { Position } from './position.ts';
import { StoredEvent } from './stored-event.ts';

/** Those of the ids that are stored and not trimmed. */
export function* findByIds(
  tables: SegmentTables,
  ids: readonly string[],
  head: SegmentHead,
  log: string,
): Script<ReadonlyMap<string, StoredEvent>> {
  const found = new Map<string, StoredEvent>();
  const entries = yield* wait(tables.unordered(ids));
  const searcher = new SegmentSearch(tables, log);
  for (const [id, position] of entries) {
    const segment = yield* searcher.at(position);
    if (segment !== undefined) found.set(id, searcher.event(segment, position));
  }
  // Sorted, so that ids of one segment come together and it is loaded once.
  const searched = ids.filter((id) => !entries.has(id) && id <= head.maxId && isUuidV7(id)).toSorted();
  for (const id of searched) {
    const segment = yield* searcher.ofId(id);
    const event = segment && searcher.find(segment, id);
    if (event !== undefined) found.set(id, event);
  }
  for (const [id, { position }] of found) if (position <= head.trimmed) found.delete(id);
  return found;
}

/** Keeps the segment it looked at last. */
class SegmentSearch {
  readonly #tables: SegmentTables;
  readonly #log: string;
  #segment: Segment | undefined;
  #lines: readonly string[] | undefined;

  constructor(tables: SegmentTables, log: string) {
    this.#tables = tables;
    this.#log = log;
  }

  *at(position: Position): Script<Segment | undefined> {
    const held = this.#segment;
    if (held !== undefined && position >= held.first && position < held.first + held.count) return held;
    const first = yield* wait(this.#tables.startOf(position));
    return this.#hold(yield* wait(this.#tables.segment(first)));
  }

  *ofId(id: string): Script<Segment | undefined> {
    const held = this.#segment;
    if (held !== undefined && held.firstId !== '' && id >= held.firstId && id <= held.lastId)
      return held;
    const segment = this.#hold(yield* wait(this.#tables.segmentOfId(id)));
    return segment !== undefined && id <= segment.lastId ? segment : undefined;
  }

  event(segment: Segment, position: Position): StoredEvent {
    this.#lines ??= linesOf(segment, this.#log);
    return new StoredEvent(position, this.#lines[position - segment.first]!);
  }

  find(segment: Segment, id: string): StoredEvent | undefined {
    const hash = hashText(id);
    const { ids } = columnsOf(segment);
    for (let i = ids.indexOf(hash); i >= 0; i = ids.indexOf(hash, i + 1)) {
      const stored = this.event(segment, segment.first + i);
      if (stored.event.id === id) return stored;
    }
    return undefined;
  }

  #hold(segment: Segment | undefined): Segment | undefined {
    if (segment !== this.#segment) this.#lines = undefined;
    this.#segment = segment;
    return segment;
  }
}
