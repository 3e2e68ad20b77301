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

/** A second reading of a part of one log. */
export interface Replay {
  /** Names its cursor and its lanes. */
  readonly id: string;
  readonly source: string;
  /** The last position that is read. */
  readonly until: Position;
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
      const source = this.#options.sources.find(({ name }) => name === replay.source);
      if (source !== undefined && (await this.#read(source, replay.id, replay, now))) more = true;
      else endReplay(this.#options.database, replay);
    }
    return more;
  }

  async #pullLive(now: number): Promise<boolean> {
    // Those that are found on the way are read with the next call, after all of these.
    const sources = [...this.#options.sources];
    let unread: number | undefined;
    for (const source of sources) {
      const { name, epoch = 0 } = source;
      if (this.full || (unread !== undefined && epoch > unread)) break;
      if (await this.#read(source, name, undefined, now)) unread ??= epoch;
    }
    return unread !== undefined || this.#options.sources.length > sources.length;
  }

  async #read(
    source: Source,
    cursor: string,
    replay: Replay | undefined,
    now: number,
  ): Promise<boolean> {
    const { database, selector, batch } = this.#options;
    const from = readCursor(database, cursor) ?? 0;
    const query = { types: selector.types, after: from, limit: feedLimits.page };
    const before = replay === undefined ? {} : { before: replay.until + 1 };
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

  #select(line: string, replay: Replay | undefined): readonly Taken[] {
    const event = decodeLine(line);
    if (!this.#options.selector.matches(event)) return [];
    return [{ id: event.id, lane: laneOf(keyOf(event), replay?.id), line }];
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
export function beginReplay(database: SqlDatabase, replay: Replay, after: Position): boolean {
  const replays = listReplays(database);
  if (replays.length >= feedLimits.replays) return false;
  writeCursor(database, replay.id, after);
  writeFact(database, 'replays', [...replays, replay]);
  return true;
}

function endReplay(database: SqlDatabase, { id }: Replay): void {
  database.transaction(() => {
    const left = listReplays(database).filter((replay) => replay.id !== id);
    writeFact(database, 'replays', left);
    database.exec(`DELETE FROM cursor WHERE source = ?`, id);
  });
}
