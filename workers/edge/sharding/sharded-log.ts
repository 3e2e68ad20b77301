/**
 * A tenant's log over its shards, as one. It knows the map as it was last told; a shard that was sealed since refuses
 * whatever takes it for open, and the map is asked for then, and only then: nobody waits for the directory to write.
 *
 * What one shard promises, all promise together: nothing lost, nothing twice, each producer and each correlation in its
 * order. Between correlations there is no order. A request of events for several shards is several commits: it is
 * checked on all of them before it is stored on any, and one that is cut off between is complete when it comes again.
 */
import { hasCode, MillraceError } from '../../../src/errors.ts';
import { decodeLine } from '../../../src/event/wire.ts';
import type { Ports } from '../../../src/ports.ts';
import { formatCursor } from '../../../src/storage/cursor.ts';
import type { Position } from '../../../src/storage/position.ts';
import type { Query } from '../../../src/storage/storage.ts';
import type { Push } from '../../../src/sync/protocol.ts';
import type { Count } from '../../../src/windows/count.ts';
import type { WindowPage, WindowPageOptions } from '../../../src/windows/windowed-view.ts';
import type { Forgotten, ProducerStatement } from '../producers.ts';
import {
  unwrap,
  type KnownLine,
  type PageOptions,
  type Published,
  type PublishOutcome,
  type PublishRequest,
  type PushOutcome,
  type ShardCalls,
  type ShardStats,
} from '../shard-calls.ts';
import { mergePages, type PlacedPage } from './merged-page.ts';
import { mergeWindows } from './merged-windows.ts';
import { indexOf, partitionOf } from './partition.ts';
import {
  isProvablyNot,
  isSingle,
  openEpoch,
  shardName,
  type ShardEpoch,
  type ShardMap,
} from './shard-map.ts';
import { allSettled, pushParts, splitPush } from './sharded-push.ts';
import { formatVector, parseVector, type VectorCursor } from './vector-cursor.ts';

export interface ShardMapSource {
  /** As it was last told. */
  current(): ShardMap;
  /** As it is. */
  refresh(): Promise<ShardMap>;
}

export interface ShardedLogOptions {
  readonly map: ShardMapSource;
  readonly shard: (name: string) => ShardCalls;
  readonly ports: Pick<Ports, 'after'>;
}

/** A query whose cursors are of all shards. */
export interface LogQuery extends Omit<Query, 'after' | 'before'> {
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

export interface LogPage {
  readonly lines: readonly string[];
  /** After each line, where to go on. */
  readonly cursors: () => readonly string[];
  readonly next: string;
  readonly more: boolean;
  /** Of the shards that were read. */
  readonly head: string;
}

const DEFAULT_PAGE = 100;
const DEFAULT_WINDOWS = 1000;
/** Between a shard's refusal as sealed and the next epoch's opening: together some seconds. */
const RETRIES_MS: readonly number[] = [0, 20, 50, 100, 200, 500, 1000];

export class ShardedLog {
  readonly #options: ShardedLogOptions;

  constructor(options: ShardedLogOptions) {
    this.#options = options;
  }

  publish(request: PublishRequest): Promise<PublishOutcome> {
    return this.#onMap(async (map) => {
      if (isSingle(map)) return unwrap(await this.#shard(0, 0).publish(request));
      return this.#publish(map, request);
    });
  }

  push(given: Push): Promise<PushOutcome> {
    return this.#onMap(async (map) => {
      if (!isSingle(map)) return this.#push(map, given);
      const { holes: _, ...push } = given;
      return unwrap(await this.#shard(0, 0).push(push));
    });
  }

  producer(producer: string): Promise<ProducerStatement> {
    return this.#onMap((map) => this.#stateProducer(map.epochs, producer));
  }

  forgetProducer(producer: string): Promise<Forgotten> {
    return this.#onMap(async (map) => {
      const all = this.#all(map).map(
        async (shard) => unwrap(await shard.forgetProducer(producer)).events,
      );
      return { events: (await allSettled(all)).reduce((sum, events) => sum + events, 0) };
    });
  }

  /** Its line. */
  event(id: string): Promise<string | undefined> {
    return this.#onMap(async (map) => {
      const found = map.epochs.flatMap((epoch) =>
        this.#of(epoch).map(async (shard) => unwrap(await shard.event(id, { open: !epoch.sealed }))),
      );
      return (await allSettled(found)).find((line) => line !== undefined);
    });
  }

  /** @throws MillraceError `cursor.invalid` */
  async page(query: LogQuery, options: PageOptions = {}): Promise<LogPage> {
    await this.#learn(query.after ?? query.before);
    return this.#onMap(async (map) => {
      if (isSingle(map)) return this.#singlePage(map, query, options);
      const page = await this.#page(map, query, options);
      if (options.waitMs === undefined || page.lines.length > 0 || page.more) return page;
      await this.#wait(map, page, query, options);
      return this.#page(map, { ...query, after: page.next }, options);
    });
  }

  /** Where the log ends now. */
  head(): Promise<string> {
    return this.#onMap(async (map) => {
      const epoch = openEpoch(map);
      const heads = this.#of(epoch).map(async (shard) => unwrap(await shard.stats({ open: true })).head);
      return formatVector({ epoch: epoch.epoch, positions: await allSettled(heads) });
    });
  }

  /** Of each shard, by its name. */
  stats(): Promise<readonly (readonly [name: string, stats: ShardStats])[]> {
    return this.#onMap((map) => {
      const all = map.epochs.flatMap((epoch) =>
        this.#of(epoch).map(async (shard, i) => {
          const stats = unwrap(await shard.stats({ open: !epoch.sealed }));
          return [shardName(epoch.epoch, i), stats] as const;
        }),
      );
      return allSettled(all);
    });
  }

  windows(options: WindowPageOptions): Promise<WindowPage<Count>> {
    return this.#onMap(async (map) => {
      const pages = map.epochs.flatMap((epoch) =>
        this.#of(epoch).map(async (shard) =>
          unwrap(await shard.windows(options, { open: !epoch.sealed })),
        ),
      );
      return mergeWindows(await allSettled(pages), options.limit ?? DEFAULT_WINDOWS);
    });
  }

  /** The one shard, where there is one alone. */
  get single(): ShardCalls | undefined {
    return isSingle(this.#options.map.current()) ? this.#shard(0, 0) : undefined;
  }

  /** Asks for the map as it is. */
  async refresh(): Promise<void> {
    await this.#options.map.refresh();
  }

  /** Whoever gave a cursor of an epoch that is not known here knew better. */
  async #learn(cursor: string | undefined): Promise<void> {
    const { map } = this.#options;
    if (cursor !== undefined && parseVector(cursor).epoch >= map.current().epochs.length)
      await map.refresh();
  }

  /** With the map as it is now, were it not as it was last told. */
  async #onMap<T>(run: (map: ShardMap) => Promise<T>): Promise<T> {
    const { map, ports } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await run(map.current());
      } catch (error) {
        const waitMs = RETRIES_MS[attempt];
        if (!hasCode(error, 'shard.sealed') || waitMs === undefined) throw error;
        await new Promise<void>((done) => void ports.after(waitMs, done));
        await map.refresh();
      }
    }
  }

  async #publish(map: ShardMap, request: PublishRequest): Promise<PublishOutcome> {
    const { lines, partial } = request;
    const untimed = new Set(request.untimed);
    const known = await this.#known(map, lines, untimed);
    const conflicts = known.flatMap((one, index) => (one?.same === false ? [index] : []));
    if (conflicts.length > 0 && !partial) return { conflicts };
    const { epoch, shards } = openEpoch(map);
    const parts = Map.groupBy(
      [...lines.keys()].filter((index) => known[index] === null),
      (index) => partitionOf(decodeLine(lines[index]!), shards),
    );
    const outcomes = await allSettled(
      [...parts].map(async ([shard, indexes]) => {
        const part: PublishRequest = {
          lines: indexes.map((index) => lines[index]!),
          untimed: indexes.flatMap((index, at) => (untimed.has(index) ? [at] : [])),
          ...(partial && { partial }),
        };
        return { indexes, outcome: unwrap(await this.#shard(epoch, shard).publish(part)) };
      }),
    );
    const late = outcomes.flatMap(({ indexes, outcome }) =>
      'conflicts' in outcome ? outcome.conflicts.map((at) => indexes[at]!) : [],
    );
    if (late.length > 0) return { conflicts: late.toSorted((a, b) => a - b) };
    const published = known.map((one, index): Published | null => {
      if (!one?.same) return null;
      return { id: decodeLine(lines[index]!).id, timestamp: one.timestamp, duplicate: true };
    });
    for (const { indexes, outcome } of outcomes) {
      if (!('published' in outcome)) continue;
      for (const [at, index] of indexes.entries()) published[index] = outcome.published[at]!;
    }
    return { published };
  }

  async #push(map: ShardMap, given: Push): Promise<PushOutcome> {
    const { epoch, shards } = openEpoch(map);
    const known = await this.#known(map, given.lines, new Set(), { sealedOnly: true });
    const conflicts = known.flatMap((one, index) => (one?.same === false ? [index] : []));
    if (conflicts.length > 0) return { conflicts };
    const dropped = new Set(known.flatMap((one, index) => (one === null ? [] : [index])));
    const before = map.epochs.slice(0, -1);
    const outcome = await pushParts(splitPush(given, shards, dropped), {
      shards: Array.from({ length: shards }, (_, i) => this.#shard(epoch, i)),
      home: indexOf(given.producer, shards),
      stated: before.length === 0 ? undefined : () => this.#stateProducer(before, given.producer),
    });
    return 'seq' in outcome ? { ...outcome, duplicates: outcome.duplicates + dropped.size } : outcome;
  }

  /** At the home of the latest epoch that has heard of it. */
  async #stateProducer(epochs: readonly ShardEpoch[], producer: string): Promise<ProducerStatement> {
    for (const { epoch, shards, sealed } of epochs.toReversed()) {
      const home = this.#shard(epoch, indexOf(producer, shards));
      const stated = unwrap(await home.producer(producer, { open: !sealed }));
      if (stated.epoch > 0 || epoch === 0) return stated;
    }
    return { epoch: 0, seq: 0 };
  }

  /** What is stored already of the lines: in sealed epochs, where they may be; and where several shards are to agree, in the open one. */
  async #known(
    map: ShardMap,
    lines: readonly string[],
    untimed: ReadonlySet<number>,
    { sealedOnly = false }: { readonly sealedOnly?: boolean } = {},
  ): Promise<(KnownLine | null)[]> {
    const events = lines.map((line) => decodeLine(line));
    const known: (KnownLine | null)[] = lines.map(() => null);
    const asked: Promise<void>[] = [];
    for (const { epoch, shards, sealed } of map.epochs) {
      if (sealed === undefined && (sealedOnly || lines.length === 1)) continue;
      const parts = Map.groupBy(events.keys(), (index) => partitionOf(events[index]!, shards));
      if (sealed === undefined && parts.size === 1) continue;
      for (const [shard, all] of parts) {
        const indexes = sealed
          ? all.filter((index) => !isProvablyNot(events[index]!.id, sealed[shard]!))
          : all;
        if (indexes.length > 0)
          asked.push(this.#compare(known, { epoch, shard, lines, indexes, untimed }));
      }
    }
    await allSettled(asked);
    // What only the open epoch knows is for its shard to say.
    return known.map((one) => (one !== null && one.open && one.same ? null : one));
  }

  async #compare(
    known: (KnownLine | null)[],
    { epoch, shard, lines, indexes, untimed }: Compared,
  ): Promise<void> {
    const part = indexes.map((index) => lines[index]!);
    const late = indexes.flatMap((index, at) => (untimed.has(index) ? [at] : []));
    const found = unwrap(await this.#shard(epoch, shard).compare(part, late));
    for (const [at, one] of found.entries()) if (one !== null) known[indexes[at]!] ??= one;
  }

  /** As the shard has it. */
  async #singlePage(map: ShardMap, query: LogQuery, options: PageOptions): Promise<LogPage> {
    const position = (cursor: string | undefined): Position | undefined =>
      cursor === undefined ? undefined : checkVector(map, cursor, parseVector(cursor)).positions[0];
    const asked: Query = { ...query, after: position(query.after), before: position(query.before) };
    const page = unwrap(await this.#shard(0, 0).page(asked, { ...options, open: true }));
    const { lines, more, next, head } = page;
    return { lines, more, next: formatCursor(next), head: formatCursor(head), cursors: () => [] };
  }

  async #page(map: ShardMap, query: LogQuery, options: PageOptions): Promise<LogPage> {
    const { after, before, direction = 'forward', limit = DEFAULT_PAGE } = query;
    const forward = direction === 'forward';
    const given = forward ? after : before;
    let at = given === undefined ? undefined : checkVector(map, given, parseVector(given));
    const epochs = forward ? map.epochs : map.epochs.toReversed();
    for (;;) {
      const epoch = at === undefined ? epochs[0]! : map.epochs[at.epoch]!;
      const starts =
        at?.positions ?? Array.from({ length: epoch.shards }, () => (forward ? 0 : undefined));
      const page = await this.#epochPage(epoch, { ...query, limit, starts, options });
      const later = epochs[epochs.indexOf(epoch) + 1];
      if (page.lines.length > 0 || page.more || later === undefined)
        return { ...page, more: page.more || later !== undefined };
      const start = forward ? 0 : Number.MAX_SAFE_INTEGER;
      at = { epoch: later.epoch, positions: Array.from({ length: later.shards }, () => start) };
    }
  }

  async #epochPage(
    { epoch, shards, sealed }: ShardEpoch,
    { starts: from, options, ...query }: EpochQuery,
  ): Promise<LogPage> {
    const { direction = 'forward', limit, correlationId = options.filter?.correlationId } = query;
    const bound = direction === 'forward' ? 'after' : 'before';
    const only = correlationId === undefined ? undefined : indexOf(correlationId, shards);
    const pages = await allSettled(
      Array.from({ length: shards }, async (_, i): Promise<PlacedPage | undefined> => {
        if (only !== undefined && only !== i) return undefined;
        const asked: Query = { ...query, after: undefined, before: undefined, [bound]: from[i] };
        const read = { filter: options.filter, open: !sealed, placed: true };
        return unwrap(await this.#shard(epoch, i).page(asked, read)) as PlacedPage;
      }),
    );
    const merged = mergePages(pages, { limit, direction, from });
    const heads = pages.map((page, i) => page?.head ?? from[i] ?? 0);
    const end = direction === 'forward' ? 0 : Number.MAX_SAFE_INTEGER;
    const cursors = (): readonly string[] => {
      const running = from.map((position) => position ?? end);
      return merged.places.map(([shard, position]) => {
        running[shard] = position;
        return formatVector({ epoch, positions: running });
      });
    };
    const next = merged.next.map((position) => position ?? end);
    return {
      lines: merged.lines,
      cursors,
      next: formatVector({ epoch, positions: next }),
      more: merged.more,
      head: formatVector({ epoch, positions: heads }),
    };
  }

  /** Until one of the shards has something, or the time is over. */
  async #wait(map: ShardMap, page: LogPage, query: LogQuery, options: PageOptions): Promise<void> {
    const { epoch, positions } = parseVector(page.next);
    const { shards } = map.epochs[epoch]!;
    const { correlationId = options.filter?.correlationId } = query;
    const only = correlationId === undefined ? undefined : indexOf(correlationId, shards);
    const waits = positions.flatMap((after, i) =>
      only === undefined || only === i
        ? [
            this.#shard(epoch, i).page(
              { ...query, before: undefined, after, limit: 1 },
              { ...options, open: true },
            ),
          ]
        : [],
    );
    unwrap(await Promise.race(waits));
  }

  #all({ epochs }: ShardMap): readonly ShardCalls[] {
    return epochs.flatMap((epoch) => this.#of(epoch));
  }

  #of({ epoch, shards }: ShardEpoch): readonly ShardCalls[] {
    return Array.from({ length: shards }, (_, i) => this.#shard(epoch, i));
  }

  #shard(epoch: number, index: number): ShardCalls {
    return this.#options.shard(shardName(epoch, index));
  }
}

interface EpochQuery extends LogQuery {
  readonly limit: number;
  readonly starts: readonly (Position | undefined)[];
  readonly options: PageOptions;
}

interface Compared {
  readonly epoch: number;
  readonly shard: number;
  readonly lines: readonly string[];
  readonly indexes: readonly number[];
  readonly untimed: ReadonlySet<number>;
}

/** @throws MillraceError `cursor.invalid` */
function checkVector({ epochs }: ShardMap, cursor: string, given: VectorCursor): VectorCursor {
  if (epochs[given.epoch]?.shards === given.positions.length) return given;
  const message = `the cursor ${cursor.slice(0, 40)} is of another log, or of a state that was lost; leave it out to start from the beginning`;
  throw new MillraceError('cursor.invalid', message, { cursor });
}
