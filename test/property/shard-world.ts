/** Shards on `node:sqlite`, a map that can be raised, and connections that are cut: before a call, or before its answer. */
import { isWireError, MillraceError } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import { openCommitLog } from '../../workers/edge/commit-log.ts';
import type { Reply, ShardCalls } from '../../workers/edge/shard-calls.ts';
import { ShardLog } from '../../workers/edge/shard-log.ts';
import { raiseShards } from '../../workers/edge/sharding/raise.ts';
import { initialMap, type ShardMap } from '../../workers/edge/sharding/shard-map.ts';
import { ShardedLog } from '../../workers/edge/sharding/sharded-log.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';

export class ShardWorld {
  map: ShardMap = initialMap;
  /** Of requests that may come again: they are kept for a day. */
  now: () => number = hostPorts.now;
  /** What the next calls come to, one each; none: they go well. */
  readonly faults: ('well' | 'request lost' | 'answer lost')[] = [];
  readonly #shards = new Map<string, ShardCalls>();

  /** As an isolate of the Worker has it: with a map of its own, which may be old. */
  log(): ShardedLog {
    let told = initialMap;
    return new ShardedLog({
      map: { current: () => told, refresh: async () => (told = this.map) },
      shard: (name) => this.#faulty(this.shard(name)),
      ports: { now: this.now, after: (_, callback) => hostPorts.after(0, callback) },
    });
  }

  async raise(shards: number): Promise<void> {
    const shard = (name: string): ShardCalls => this.shard(name);
    const ports = { after: hostPorts.after, now: this.now };
    this.map = await raiseShards(this.map, { shards, shard, ports });
  }

  shard(name: string): ShardCalls {
    const known = this.#shards.get(name);
    if (known !== undefined) return known;
    const log = openCommitLog(openSqlite(nodeSqlite(':memory:')), () => Promise.resolve());
    const ports = { ...hostPorts, now: () => this.now() };
    const shard = new ShardLog({ name, log, ports });
    const calls = {
      publish: (request) => answer(() => shard.publish(request)),
      push: (given) => answer(() => shard.push(given)),
      producer: (id, options) => answer(() => shard.producer(id, options)),
      forgetProducer: (id) => answer(() => shard.forgetProducer(id)),
      event: (id, options) => answer(() => shard.event(id, options)),
      page: (query, options) => answer(() => shard.page(query, options)),
      compare: (lines, untimed) => answer(() => shard.compare(lines, untimed)),
      recallRequest: (request, options) => answer(() => shard.recallRequest(request, options)),
      beginRequest: (request, expected) => answer(() => shard.beginRequest(request, expected)),
      endRequest: (request, outcome) => answer(() => shard.endRequest(request, outcome)),
      seal: () => answer(() => shard.seal()),
    } satisfies Partial<ShardCalls> as unknown as ShardCalls;
    this.#shards.set(name, calls);
    return calls;
  }

  #faulty(shard: ShardCalls): ShardCalls {
    const call =
      (method: keyof ShardCalls) =>
      async (...given: unknown[]): Promise<unknown> => {
        const fault = this.faults.shift();
        if (fault === 'request lost') throw new Error('the connection was cut');
        const reply = await (shard[method] as (...all: unknown[]) => Promise<unknown>)(...given);
        if (fault === 'answer lost') throw new Error('the connection was cut');
        return reply;
      };
    const faulty = (method: keyof ShardCalls) => [method, call(method)] as const;
    const calls = [
      'publish',
      'push',
      'compare',
      'producer',
      'recallRequest',
      'beginRequest',
      'endRequest',
    ];
    const faulted = (calls as (keyof ShardCalls)[]).map(faulty);
    return { ...shard, ...Object.fromEntries(faulted) } as ShardCalls;
  }
}

async function answer<T>(run: () => Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    if (!isWireError(error)) throw error;
    return { ok: false, error: new MillraceError(error.code, error.message, error.details).toWire() };
  }
}
