/**
 * Who follows a log over shards while it is written and raised: a subscription's feed, its replay, and a reader by vector
 * cursor. Each is given every event that it is for, once, and what has one key in its order.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLine } from '../../src/event/wire.ts';
import { beginReplay, Feed, listReplays } from '../../workers/edge/delivery/feed.ts';
import { compileSelection } from '../../workers/edge/delivery/selection.ts';
import type { Source } from '../../workers/edge/delivery/source.ts';
import { createTables, type SqlDatabase } from '../../workers/edge/delivery/tables.ts';
import { unwrap } from '../../workers/edge/shard-calls.ts';
import type { ShardedLog } from '../../workers/edge/sharding/sharded-log.ts';
import { shardName } from '../../workers/edge/sharding/shard-map.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import { ShardWorld } from './shard-world.ts';

const KEYS = 5;
const PAGE = 3;

let made = 0;

class Subscriber {
  readonly world: ShardWorld;
  readonly database: SqlDatabase = nodeSqlite(':memory:');
  readonly sources: Source[] = [];
  #epochs = 0;

  constructor(world: ShardWorld) {
    this.world = world;
    createTables(this.database);
    this.learn();
  }

  /** Of epochs that it had not heard of. */
  learn(): void {
    const { world, sources } = this;
    for (; this.#epochs < world.map.epochs.length; this.#epochs++) {
      const epoch = this.#epochs;
      for (let index = 0; index < world.map.epochs[epoch]!.shards; index++) {
        const name = shardName(epoch, index);
        sources.push({
          ...{ name, epoch, index },
          get end() {
            return world.map.epochs[epoch]!.sealed?.[index]?.head;
          },
          page: async (query) =>
            unwrap(
              await world.shard(name).page({ ...query, limit: Math.min(PAGE, query.limit ?? PAGE) }),
            ),
        });
      }
    }
  }

  /** As an object that was woken: nothing of it is in memory. */
  pull(): Promise<boolean> {
    const selector = compileSelection({ eventTypes: ['a.b'] });
    return new Feed({ database: this.database, sources: this.sources, selector, batch: 2 }).pull(0);
  }

  async drain(): Promise<void> {
    this.learn();
    while ((await this.pull()) || listReplays(this.database).length > 0);
  }

  /** Of all that was written. */
  async replay(): Promise<void> {
    const ranges = await Promise.all(
      this.sources.map(async (source) => {
        const { head } = await source.page({ limit: 1 });
        return { source: source.name, after: 0, until: head };
      }),
    );
    this.database.transaction(() => beginReplay(this.database, 'replay-1', ranges));
    await this.drain();
  }

  /** Of each lane, the numbers in the order of its deliveries. */
  lanes(): Readonly<Record<string, readonly number[]>> {
    const lanes: Record<string, number[]> = {};
    for (const { lane, lines } of this.database.exec(
      `SELECT lane, lines FROM delivery ORDER BY sequence`,
    ))
      for (const line of (lines as string).split('\n'))
        (lanes[lane as string] ??= []).push(decodeLine(line).data as number);
    return lanes;
  }
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      keys: fc.array(fc.nat(KEYS - 1), { minLength: 1, maxLength: 8 }),
      type: fc.constantFrom('a.b', 'a.b', 'c.d'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('raise' as const), by: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('pull' as const, 'read' as const, 'learn' as const) }),
  },
);

/** By vector cursor, as a live reader that may be cut off behind any event. */
class Reader {
  readonly lines: string[] = [];
  readonly #log: ShardedLog;
  readonly #limit: number;
  #after: string | undefined;

  constructor(log: ShardedLog, limit: number) {
    this.#log = log;
    this.#limit = limit;
  }

  /** Resolves to whether there is more. */
  async readOn(): Promise<boolean> {
    const page = await this.#log.page({ after: this.#after, limit: this.#limit }, { placed: true });
    const { length } = page.lines;
    const taken = length === 0 ? 0 : 1 + (made % length);
    this.lines.push(...page.lines.slice(0, taken));
    this.#after = taken === length ? page.next : page.cursors()[taken - 1];
    return page.more || taken < length;
  }
}

interface Written {
  readonly key: string;
  readonly type: string;
  readonly number: number;
}

const lineOf = ({ key, type, number }: Written): string =>
  `{"id":"e-${number}","type":"${type}","data":${number},"timestamp":"2026-01-01T00:00:00.000Z","source":"s","correlation_id":"${key}"}`;

describe('over shards that are raised', () => {
  it('a subscription, its replay and a reader are given every event once, each key in its order', async () => {
    const given = fc.tuple(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 6 }));
    await fc.assert(
      fc.asyncProperty(given, async ([steps, limit]) => {
        const world = new ShardWorld();
        const log = world.log();
        const subscriber = new Subscriber(world);
        const reader = new Reader(world.log(), limit);
        const written: Written[] = [];
        let shards = 1;
        for (const one of steps) {
          if ('keys' in one) {
            const events = one.keys.map((key) => ({ key: `k-${key}`, type: one.type, number: made++ }));
            await log.publish({ lines: events.map(lineOf), untimed: [] });
            written.push(...events);
          } else if (one.kind === 'raise') await world.raise((shards += one.by));
          else if (one.kind === 'learn') subscriber.learn();
          else if (one.kind === 'pull') await subscriber.pull();
          else await reader.readOn();
        }
        await subscriber.drain();
        await subscriber.replay();
        while (await reader.readOn());
        const lanes = subscriber.lanes();
        const read = reader.lines.map((line) => decodeLine(line));
        for (let i = 0; i < KEYS; i++) {
          const key = `k-${i}`;
          const all = written.filter((event) => event.key === key);
          const selected = all.filter(({ type }) => type === 'a.b').map(({ number }) => number);
          expect(lanes[`c:${key}`] ?? [], 'the subscription').toEqual(selected);
          expect(lanes[`replay-1 c:${key}`] ?? [], 'its replay').toEqual(selected);
          const numbers = read.filter((event) => event.correlationId === key).map(({ data }) => data);
          expect(numbers, 'the reader').toEqual(all.map(({ number }) => number));
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
