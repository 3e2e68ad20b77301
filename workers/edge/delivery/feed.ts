/**
 * Brings what a subscription selects from the logs into its deliveries, a page at a time: the live reading of each
 * shard, and replays of a range beside it. What is read is decided by the cursors alone, so that it does not matter
 * whether, when or how often anybody says that there is something new.
 */
import { hasCode } from '../../../src/errors.ts';
import { decodeLine } from '../../../src/event/wire.ts';
import type { Position } from '../../../src/storage/position.ts';
import { batchesOf, readCursor, takeIn, writeCursor, type Taken } from './intake.ts';
import { keyOf, laneOf } from './lane.ts';
import { readLedger } from './ledger.ts';
import type { Selector } from './selection.ts';
import type { Source } from './source.ts';
import { readFact, writeFact, type SqlDatabase } from './tables.ts';

export interface FeedOptions {
  readonly database: SqlDatabase;
  readonly sources: readonly Source[];
  readonly selector: Selector;
  /** The most events in one delivery. */
  readonly batch: number;
}

/** A second reading of a part of the logs. */
export interface Replay {
  /** Names its cursors and its lanes. */
  readonly id: string;
  readonly parts: readonly ReplayPart[];
}

export interface ReplayPart {
  readonly source: string;
  /** The last position that is read. */
  readonly until: Position;
}

/** A range of one log: after a position, up to another. */
export interface ReplayRange extends ReplayPart {
  readonly after: Position;
}

/** One log, as it is read once or once more. */
interface Reading {
  readonly source: Source;
  readonly cursor: string;
  /** The last position that is read. None: whatever comes. */
  readonly until?: Position | undefined;
  /** Whose lanes its events go to. */
  readonly replay?: string;
}

export const feedLimits = {
  /** Events a page. */
  page: 200,
  /** Deliveries that wait or are dead letters; beyond it nothing is read, until some are settled. */
  kept: 100_000,
  /** Of their lines: three bytes each stay well below the 10 GB of an object. */
  keptCharacters: 1_073_741_824,
  /** Replays under way together. */
  replays: 4,
} as const;

export class Feed {
  readonly #options: FeedOptions;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Whether no more can be taken in for now. */
  get full(): boolean {
    const { waiting, dead, characters } = readLedger(this.#options.database);
    return waiting + dead >= feedLimits.kept || characters >= feedLimits.keptCharacters;
  }

  /** Reads one page of each log and of each replay. Resolves to whether there may be more. */
  async pull(now: number): Promise<boolean> {
    let more = await this.#pullLive(now);
    for (const replay of listReplays(this.#options.database)) {
      if (this.full) return false;
      const readings = this.#readingsOf(replay);
      if (await this.#pullAll(readings, now)) more = true;
      // A log that is not known here yet comes to be known by the live reading.
      else if (!this.full && readings.length === replay.parts.length)
        endReplay(this.#options.database, replay);
    }
    return more;
  }

  async #pullLive(now: number): Promise<boolean> {
    const { sources } = this.#options;
    const { length } = sources;
    const more = await this.#pullAll(
      sources.map((source) => ({ source, cursor: source.name })),
      now,
    );
    // Those that were found on the way are read with the next call, after all of these.
    return more || sources.length > length;
  }

  #readingsOf({ id, parts }: Replay): readonly Reading[] {
    return this.#options.sources.flatMap((source) => {
      const part = parts.find((one) => one.source === source.name);
      if (part === undefined) return [];
      return [{ source, cursor: cursorOf(id, part), until: part.until, replay: id }];
    });
  }

  /** One page of each, but of no epoch before those earlier are read to their ends. */
  async #pullAll(readings: readonly Reading[], now: number): Promise<boolean> {
    let unread: number | undefined;
    for (const reading of readings) {
      const { epoch = 0 } = reading.source;
      if (this.full || (unread !== undefined && epoch > unread)) break;
      if (await this.#read(reading, now)) unread ??= epoch;
    }
    return unread !== undefined;
  }

  /** Resolves to whether there may be more. */
  async #read({ source, cursor, until, replay }: Reading, now: number): Promise<boolean> {
    const { database, selector, batch } = this.#options;
    const from = openCursor(database, cursor);
    if (from >= Math.min(until ?? Infinity, source.end ?? Infinity)) return false;
    const query = { types: selector.types, after: from, limit: feedLimits.page };
    const before = until === undefined ? {} : { before: until + 1 };
    try {
      const { lines, next, more } = await source.page({ ...query, ...before });
      const taken = lines.flatMap((line) => this.#select(line, replay));
      const to = Math.max(from, next);
      takeIn(database, { source: cursor, from, to, batches: batchesOf(taken, batch) }, now);
      return more;
    } catch (error) {
      if (!hasCode(error, 'storage.corrupt')) throw error;
      this.#stepOver(cursor, from, error.details.position);
      return true;
    }
  }

  #select(line: string, replay: string | undefined): readonly Taken[] {
    const event = decodeLine(line);
    if (!this.#options.selector.matches(event)) return [];
    return [{ id: event.id, lane: laneOf(keyOf(event), replay), line }];
  }

  /** An event that is damaged at rest is nobody's to deliver. It is counted, and what stands behind it goes on. */
  #stepOver(cursor: string, from: Position, damaged: Position): void {
    const { database } = this.#options;
    database.transaction(() => {
      if ((readCursor(database, cursor) ?? 0) !== from) return;
      writeCursor(database, cursor, Math.max(from, damaged));
      writeFact(database, 'damaged', (readFact<number>(database, 'damaged') ?? 0) + 1);
    });
  }
}

export function listReplays(database: SqlDatabase): readonly Replay[] {
  return readFact(database, 'replays') ?? [];
}

/** Whether there was room for it. To be called in a transaction. */
export function beginReplay(database: SqlDatabase, id: string, ranges: readonly ReplayRange[]): boolean {
  const replays = listReplays(database);
  if (replays.length >= feedLimits.replays) return false;
  const parts = ranges.filter(({ after, until }) => after < until);
  for (const part of parts) writeCursor(database, cursorOf(id, part), part.after);
  const replay = { id, parts: parts.map(({ source, until }) => ({ source, until })) };
  writeFact(database, 'replays', [...replays, replay]);
  return true;
}

function endReplay(database: SqlDatabase, { id, parts }: Replay): void {
  database.transaction(() => {
    const left = listReplays(database).filter((replay) => replay.id !== id);
    writeFact(database, 'replays', left);
    for (const part of parts) database.exec(`DELETE FROM cursor WHERE source = ?`, cursorOf(id, part));
  });
}

/** The names of shards' own cursors have no space. */
function cursorOf(replay: string, { source }: ReplayPart): string {
  return `${replay} ${source}`;
}

/** A shard that has joined since is read from its beginning. */
function openCursor(database: SqlDatabase, cursor: string): Position {
  const position = readCursor(database, cursor);
  if (position === undefined) writeCursor(database, cursor, 0);
  return position ?? 0;
}
