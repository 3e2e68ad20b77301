/**
 * A tenant's log over its shards, as one. It knows the map as it was last told; a shard that was sealed since refuses
 * whatever takes it for open, and the map is asked for then, and only then: nobody waits for the directory to write.
 *
 * What one shard promises, all promise together: nothing lost, nothing twice, and what has one key in its order. The key
 * is the correlation, else the subject, else the id; between keys there is no order, also of one producer.
 */
import { hasCode } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';
import type { Push } from '../../../src/sync/protocol.ts';
import type { Count } from '../../../src/windows/count.ts';
import type { WindowPage, WindowPageOptions } from '../../../src/windows/windowed-view.ts';
import type { Forgotten, ProducerStatement } from '../producers.ts';
import {
  unwrap,
  type Published,
  type PublishOutcome,
  type PublishRequest,
  type PushOutcome,
  type ShardCalls,
  type ShardStats,
  type StatsOptions,
} from '../shard-calls.ts';
import { broughtLines, conflictsIn, knownLines } from './known-lines.ts';
import { mergeWindows } from './merged-windows.ts';
import { indexOf } from './partition.ts';
import {
  isProvablyNot,
  isSingle,
  openEpoch,
  shardName,
  type ShardEpoch,
  type ShardMap,
} from './shard-map.ts';
import { ShardSet, allSettled } from './shard-set.ts';
import { ShardWaits } from './shard-waits.ts';
import { publishOver } from './sharded-publishing.ts';
import { pushParts, splitPush } from './sharded-push.ts';
import { formatVector, parseVector } from './vector-cursor.ts';
import {
  readSingle,
  readVector,
  waitBehind,
  type LogPage,
  type LogQuery,
  type VectorPageOptions,
} from './vector-page.ts';

export type { LogPage, LogQuery } from './vector-page.ts';

export interface ShardMapSource {
  /** As it was last told. */
  current(): ShardMap;
  /** As it is. */
  refresh(): Promise<ShardMap>;
}

export interface ShardedLogOptions {
  readonly map: ShardMapSource;
  readonly shard: (name: string) => ShardCalls;
  readonly ports: Pick<Ports, 'now' | 'after'>;
}

export interface LogPageOptions extends VectorPageOptions {
  /** How long to wait for a page with an event. Default: not at all. */
  readonly waitMs?: number | undefined;
  /** Of a reader that waits again and again. */
  readonly waits?: ShardWaits | undefined;
}

const DEFAULT_WINDOWS = 1000;
/** Between a shard's refusal as sealed and the next epoch's opening: together some seconds. */
const RETRIES_MS: readonly number[] = [0, 20, 50, 100, 200, 500, 1000];

export class ShardedLog {
  readonly #map: ShardMapSource;
  readonly #shards: ShardSet;
  readonly #ports: Pick<Ports, 'now' | 'after'>;

  constructor({ map, shard, ports }: ShardedLogOptions) {
    this.#map = map;
    this.#shards = new ShardSet(shard);
    this.#ports = ports;
  }

  publish(request: PublishRequest): Promise<PublishOutcome> {
    const stored = new Map<number, Published>();
    return this.#onMap(async (map) => {
      if (isSingle(map)) return unwrap(await this.#first(map).publish(request));
      return publishOver({ shards: this.#shards, map, request, stored, now: this.#ports.now() });
    });
  }

  push(given: Push): Promise<PushOutcome> {
    return this.#onMap(async (map) => {
      if (!isSingle(map)) return this.#push(map, given);
      const { holes: _, ...push } = given;
      return unwrap(await this.#first(map).push(push));
    });
  }

  producer(producer: string): Promise<ProducerStatement> {
    return this.#onMap((map) => this.#stateProducer(map.epochs, producer));
  }

  async forgetProducer(producer: string): Promise<Forgotten> {
    for (let map = this.#map.current(); ;) {
      const all = await this.#shards.each(map, async (shard) => {
        return unwrap(await shard.forgetProducer(producer)).events;
      });
      const { length } = map.epochs;
      // A shard that has joined since may have taken the producer over before it was to be forgotten.
      map = await this.#map.refresh();
      if (map.epochs.length === length) return { events: all.reduce((sum, events) => sum + events, 0) };
    }
  }

  /** Its line. */
  event(id: string): Promise<string | undefined> {
    return this.#onMap(async (map) => {
      const found = await this.#shards.each(map, async (shard, { sealed }, index) => {
        if (sealed !== undefined && isProvablyNot(id, sealed[index]!)) return undefined;
        return unwrap(await shard.event(id, { open: !sealed }));
      });
      return found.find((line) => line !== undefined);
    });
  }

  /** @throws MillraceError `cursor.invalid` */
  async page(query: LogQuery, options: LogPageOptions = {}): Promise<LogPage> {
    await this.#learn(query.after ?? query.before);
    const { waitMs, waits = new ShardWaits(), filter, placed } = options;
    return this.#onMap(async (map) => {
      if (isSingle(map)) return readSingle(this.#shards, map, query, { filter, placed, waitMs });
      const page = await readVector(this.#shards, map, query, options);
      if (waitMs === undefined || page.lines.length > 0 || page.more) return page;
      const behind = { ...query, after: page.next };
      await waitBehind(this.#shards, map, behind, { filter, waitMs, waits });
      return readVector(this.#shards, map, behind, options);
    });
  }

  /** Where the log ends now. */
  head(): Promise<string> {
    return this.#onMap(async (map) => {
      const epoch = openEpoch(map);
      const heads = this.#shards
        .of(epoch)
        .map(async (shard) => unwrap(await shard.stats({ open: true })).head);
      return formatVector({ epoch: epoch.epoch, positions: await allSettled(heads) });
    });
  }

  /** Of each shard, by its name. */
  stats({ metrics }: Pick<StatsOptions, 'metrics'> = {}): Promise<
    readonly (readonly [name: string, stats: ShardStats])[]
  > {
    return this.#onMap((map) =>
      this.#shards.each(map, async (shard, { epoch, sealed }, index) => {
        const stats = unwrap(await shard.stats({ open: !sealed, metrics }));
        return [shardName(epoch, index), stats] as const;
      }),
    );
  }

  windows(options: WindowPageOptions): Promise<WindowPage<Count>> {
    return this.#onMap(async (map) => {
      const pages = await this.#shards.each(map, async (shard, { sealed }) =>
        unwrap(await shard.windows(options, { open: !sealed })),
      );
      return mergeWindows(pages, options.limit ?? DEFAULT_WINDOWS);
    });
  }

  /** The one shard, where there is one alone. */
  get single(): ShardCalls | undefined {
    const map = this.#map.current();
    return isSingle(map) ? this.#first(map) : undefined;
  }

  /** Asks for the map as it is. */
  async refresh(): Promise<void> {
    await this.#map.refresh();
  }

  /** Whoever gave a cursor of an epoch that is not known here knew better. */
  async #learn(cursor: string | undefined): Promise<void> {
    if (cursor !== undefined && parseVector(cursor).epoch >= this.#map.current().epochs.length)
      await this.#map.refresh();
  }

  /** With the map as it is now, were it not as it was last told. */
  async #onMap<T>(run: (map: ShardMap) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await run(this.#map.current());
      } catch (error) {
        const waitMs = RETRIES_MS[attempt];
        if (!hasCode(error, 'shard.sealed') || waitMs === undefined) throw error;
        await new Promise<void>((done) => void this.#ports.after(waitMs, done));
        await this.#map.refresh();
      }
    }
  }

  async #push(map: ShardMap, given: Push): Promise<PushOutcome> {
    const epoch = openEpoch(map);
    const brought = broughtLines(given.lines);
    const known = await knownLines(this.#shards, map, brought, { open: 'never' });
    const conflicts = conflictsIn(known);
    if (conflicts.length > 0) return { conflicts };
    const dropped = new Set(known.flatMap((one, index) => (one === null ? [] : [index])));
    const before = map.epochs.slice(0, -1);
    const parts = splitPush(given, { events: brought.events, shards: epoch.shards, dropped });
    const outcome = await pushParts(parts, {
      shards: this.#shards.of(epoch),
      home: indexOf(given.producer, epoch.shards),
      stated: before.length === 0 ? undefined : () => this.#stateProducer(before, given.producer),
    });
    return 'seq' in outcome ? { ...outcome, duplicates: outcome.duplicates + dropped.size } : outcome;
  }

  /** At the home of the latest epoch that has heard of it. */
  async #stateProducer(epochs: readonly ShardEpoch[], producer: string): Promise<ProducerStatement> {
    for (const epoch of epochs.toReversed()) {
      const home = this.#shards.at(epoch, indexOf(producer, epoch.shards));
      const stated = unwrap(await home.producer(producer, { open: !epoch.sealed }));
      if (stated.epoch > 0 || epoch.epoch === 0) return stated;
    }
    return { epoch: 0, seq: 0 };
  }

  #first({ epochs }: ShardMap): ShardCalls {
    return this.#shards.at(epochs[0]!, 0);
  }
}
