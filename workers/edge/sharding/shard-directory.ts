/**
 * The shard map as the directory keeps it. That the shards are to be raised is noted first, so that a raise which is cut
 * off is finished by whoever asks next, or by the alarm.
 */
import { hasCode } from '../../../src/errors.ts';
import type { ShardCalls } from '../shard-calls.ts';
import { checkRaise, raiseShards } from './raise.ts';
import { initialMap, type ShardMap } from './shard-map.ts';

interface Kept {
  readonly map: ShardMap;
  /** To how many shards it is being raised. */
  readonly raising?: number;
}

export interface ShardDirectoryOptions {
  readonly storage: Pick<DurableObjectStorage, 'get' | 'put' | 'setAlarm'>;
  readonly shard: (name: string) => ShardCalls;
  readonly now: () => number;
}

const KEY = 'shards';
const RETRY_MS = 1000;

export class ShardDirectory {
  readonly #options: ShardDirectoryOptions;
  #running: Promise<ShardMap> | undefined;

  constructor(options: ShardDirectoryOptions) {
    this.#options = options;
  }

  /** With what was cut off finished. */
  async map(): Promise<ShardMap> {
    const { map, raising } = await this.#kept();
    return raising === undefined ? map : this.#finish();
  }

  /** @throws MillraceError `query.invalid`, `limit.exceeded` */
  async raise(shards: number): Promise<ShardMap> {
    const map = await this.map();
    checkRaise(map, shards);
    await this.#keep({ map, raising: shards });
    return this.#finish();
  }

  /** To be called when the alarm goes off, and when the object is woken: nobody needs to ask for it to go on. */
  async resume(): Promise<void> {
    try {
      await this.map();
    } finally {
      await this.#arm();
    }
  }

  #finish(): Promise<ShardMap> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<ShardMap> {
    const { map, raising } = await this.#kept();
    if (raising === undefined) return map;
    await this.#arm();
    const { shard } = this.#options;
    const next = await raiseShards(map, { shards: raising, shard }).catch((error: unknown) => {
      // Of two that were asked for together, the later may be no raise any more.
      if (hasCode(error, 'query.invalid')) return map;
      throw error;
    });
    await this.#keep({ map: next });
    return next;
  }

  async #arm(): Promise<void> {
    const { raising } = await this.#kept();
    const { storage, now } = this.#options;
    if (raising !== undefined) await storage.setAlarm(now() + RETRY_MS);
  }

  async #kept(): Promise<Kept> {
    return (await this.#options.storage.get<Kept>(KEY)) ?? { map: initialMap };
  }

  #keep(kept: Kept): Promise<void> {
    return this.#options.storage.put(KEY, kept);
  }
}
