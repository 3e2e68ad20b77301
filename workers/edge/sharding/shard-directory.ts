/**
 * The shard map as the directory keeps it. That the shards are to be raised is noted first, so that a raise which is cut
 * off is finished by whoever asks next, or by the alarm.
 */
import type { Ports } from '../../../src/ports.ts';
import type { ShardCalls } from '../shard-calls.ts';
import { checkRaise, raiseShards } from './raise.ts';
import { initialMap, type ShardMap } from './shard-map.ts';

interface Kept {
  readonly map: ShardMap;
  /** To how many shards it is being raised. */
  readonly raising?: number;
}

export interface ShardDirectoryOptions {
  readonly storage: {
    get<T>(key: string): Promise<T | undefined>;
    put(key: string, value: unknown): Promise<void>;
    setAlarm(at: number): Promise<void>;
  };
  readonly shard: (name: string) => ShardCalls;
  readonly ports: Pick<Ports, 'now' | 'after'>;
}

const KEY = 'shards';
const RETRY_MS = 1000;

export class ShardDirectory {
  readonly #options: ShardDirectoryOptions;
  #running: Promise<ShardMap> | undefined;
  #raised: Promise<unknown> = Promise.resolve();

  constructor(options: ShardDirectoryOptions) {
    this.#options = options;
  }

  /** With what was cut off finished. @throws MillraceError as `raiseShards` does */
  async map(): Promise<ShardMap> {
    const { map, raising } = await this.#kept();
    return raising === undefined ? map : this.#finish();
  }

  /** One after another: each is judged by the map that the one before has left. @throws MillraceError as `raiseShards` does */
  raise(shards: number): Promise<ShardMap> {
    const run = (): Promise<ShardMap> => this.#raise(shards);
    const raised = this.#raised.then(run, run);
    this.#raised = raised;
    return raised;
  }

  /** To be called when the alarm goes off, and when the object is woken: nobody needs to ask for it to go on. */
  async resume(): Promise<void> {
    try {
      await this.map();
    } finally {
      await this.#arm();
    }
  }

  async #raise(shards: number): Promise<ShardMap> {
    const map = await this.map();
    checkRaise(map, shards);
    await this.#keep({ map, raising: shards });
    return this.#finish();
  }

  #finish(): Promise<ShardMap> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<ShardMap> {
    const { map, raising } = await this.#kept();
    if (raising === undefined) return map;
    await this.#arm();
    const next = await raiseShards(map, { ...this.#options, shards: raising });
    await this.#keep({ map: next });
    return next;
  }

  async #arm(): Promise<void> {
    const { raising } = await this.#kept();
    const { storage, ports } = this.#options;
    if (raising !== undefined) await storage.setAlarm(ports.now() + RETRY_MS);
  }

  async #kept(): Promise<Kept> {
    return (await this.#options.storage.get<Kept>(KEY)) ?? { map: initialMap };
  }

  #keep(kept: Kept): Promise<void> {
    return this.#options.storage.put(KEY, kept);
  }
}
