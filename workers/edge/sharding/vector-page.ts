/**
 * Reading a log's shards as one log: a page by a vector cursor, epoch after epoch, each to its end before the next. What
 * has one correlation is read from one shard of each.
 */
import { MillraceError } from '../../../src/errors.ts';
import { formatCursor } from '../../../src/storage/cursor.ts';
import type { Position } from '../../../src/storage/position.ts';
import type { Query } from '../../../src/storage/storage.ts';
import type { EventFilter } from '../event-filter.ts';
import { unwrap, type PageOptions } from '../shard-calls.ts';
import { mergePages, type PlacedPage } from './merged-page.ts';
import { indexOf } from './partition.ts';
import { isSingle, shardName, type ShardEpoch, type ShardMap } from './shard-map.ts';
import { allSettled, type ShardSet } from './shard-set.ts';
import type { Ask, ShardWaits } from './shard-waits.ts';
import { formatVector, parseVector, type VectorCursor } from './vector-cursor.ts';

/** A query whose cursors are of all shards. */
export interface LogQuery extends Omit<Query, 'after' | 'before'> {
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

export interface LogPage {
  readonly lines: readonly string[];
  /** After each line, where to go on. To be asked for with `placed`. */
  readonly cursors: () => readonly string[];
  readonly next: string;
  readonly more: boolean;
  /** Of the shards that were read. */
  readonly head: string;
}

export interface VectorPageOptions {
  readonly filter?: EventFilter | undefined;
  readonly placed?: boolean | undefined;
}

interface EpochQuery extends LogQuery {
  readonly limit: number;
  /** Where each shard is read from; `undefined` backwards from its end. */
  readonly starts: readonly (Position | undefined)[];
}

const DEFAULT_PAGE = 100;
/** Backwards: from any shard's end. */
const END = Number.MAX_SAFE_INTEGER;

/**
 * A page ends with its epoch, and then has more.
 *
 * @throws MillraceError `cursor.invalid`, and as a shard does
 */
export async function readVector(
  shards: ShardSet,
  map: ShardMap,
  query: LogQuery,
  options: VectorPageOptions = {},
): Promise<LogPage> {
  const { after, before, direction = 'forward', limit = DEFAULT_PAGE } = query;
  const forward = direction === 'forward';
  const given = forward ? after : before;
  const at = given === undefined ? undefined : checkVector(map, given);
  const epochs = forward ? map.epochs : map.epochs.toReversed();
  const first = at === undefined ? 0 : epochs.findIndex(({ epoch }) => epoch === at.epoch);
  for (const [index, epoch] of epochs.slice(first).entries()) {
    const start = forward ? 0 : index === 0 ? undefined : END;
    const starts =
      index === 0 && at !== undefined ? at.positions : Array.from({ length: epoch.shards }, () => start);
    const page = await readEpoch(shards, epoch, { ...query, limit, starts }, options);
    const isLast = first + index === epochs.length - 1;
    if (page.lines.length > 0 || page.more || isLast) return { ...page, more: page.more || !isLast };
  }
  throw new Error('a log has an epoch');
}

/** The one shard's page, as the shard has it. @throws MillraceError as `readVector` does */
export async function readSingle(
  shards: ShardSet,
  map: ShardMap,
  query: LogQuery,
  options: PageOptions,
): Promise<LogPage> {
  const position = (cursor: string | undefined): Position | undefined =>
    cursor === undefined ? undefined : checkVector(map, cursor).positions[0];
  const asked: Query = { ...query, after: position(query.after), before: position(query.before) };
  const page = unwrap(await shards.at(map.epochs[0]!, 0).page(asked, { ...options, open: true }));
  const { lines, more, next, head } = page;
  const cursors = () => ((page as Partial<PlacedPage>).positions ?? []).map(formatCursor);
  return { lines, more, next: formatCursor(next), head: formatCursor(head), cursors };
}

export interface WaitOptions {
  readonly filter?: EventFilter | undefined;
  readonly waitMs: number;
  readonly waits: ShardWaits;
}

/** Resolves when one of the shards has something behind the query's cursor, or the time is over. @throws MillraceError as a shard does */
export async function waitBehind(
  shards: ShardSet,
  map: ShardMap,
  query: LogQuery & { readonly after: string },
  { filter, waitMs, waits }: WaitOptions,
): Promise<void> {
  if (isSingle(map)) return;
  const { epoch, positions } = parseVector(query.after);
  const isAsked = only(query, filter, positions.length);
  const asks = new Map<string, Ask>();
  for (const [index, after] of positions.entries()) {
    if (!isAsked(index)) continue;
    const asked: Query = { ...query, before: undefined, after, limit: 1 };
    const ask = async () =>
      unwrap(await shards.at({ epoch }, index).page(asked, { filter, waitMs, open: true }));
    asks.set(shardName(epoch, index), ask);
  }
  await waits.first(asks);
}

async function readEpoch(
  shards: ShardSet,
  epoch: ShardEpoch,
  { starts, ...query }: EpochQuery,
  { filter }: VectorPageOptions,
): Promise<LogPage> {
  const { direction = 'forward', limit } = query;
  const bound = direction === 'forward' ? 'after' : 'before';
  const isAsked = only(query, filter, epoch.shards);
  const pages = await allSettled(
    shards.of(epoch).map(async (shard, index): Promise<PlacedPage | undefined> => {
      if (!isAsked(index)) return undefined;
      const asked: Query = { ...query, after: undefined, before: undefined, [bound]: starts[index] };
      const read = { filter, open: !epoch.sealed, placed: true };
      return unwrap(await shard.page(asked, read)) as PlacedPage;
    }),
  );
  const merged = mergePages(pages, { limit, direction, from: starts });
  const format = (positions: readonly (Position | undefined)[], none: Position): string =>
    formatVector({ epoch: epoch.epoch, positions: positions.map((position) => position ?? none) });
  const end = direction === 'forward' ? 0 : END;
  return {
    lines: merged.lines,
    more: merged.more,
    next: format(merged.next, end),
    head: format(
      pages.map((page, index) => page?.head ?? starts[index]),
      0,
    ),
    cursors() {
      const running = [...starts];
      return merged.places.map(([shard, position]) => {
        running[shard] = position;
        return format(running, end);
      });
    },
  };
}

/** Which of an epoch's shards a query is for. */
function only(
  { correlationId }: LogQuery,
  filter: EventFilter | undefined,
  shards: number,
): (index: number) => boolean {
  const correlation = correlationId ?? filter?.correlationId;
  if (correlation === undefined) return () => true;
  const place = indexOf(correlation, shards);
  return (index) => index === place;
}

function checkVector({ epochs }: ShardMap, cursor: string): VectorCursor {
  const given = parseVector(cursor);
  if (epochs[given.epoch]?.shards === given.positions.length) return given;
  const message = `the cursor ${cursor.slice(0, 40)} is of another log, or of a state that was lost; leave it out to start from the beginning`;
  throw new MillraceError('cursor.invalid', message, { cursor });
}
