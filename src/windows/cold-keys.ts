/** State that belongs to a key alone, in the storage: a value for each. */
import type { JsonValue, Storage } from '../storage/storage.ts';
import { keySlot } from './key-slot.ts';

export interface KeptCount {
  readonly [field: string]: JsonValue;
  /** The key. */
  readonly name: string;
  readonly seen: number;
  readonly first: number;
  readonly panes: readonly (readonly [state: JsonValue, revision: number])[];
  readonly emitted: JsonValue;
  /** What `seen` was when the stream ended and the result was handed on; missing before. */
  readonly done?: number;
}

export interface KeptPage {
  readonly kept: readonly KeptCount[];
  readonly next: string | null;
}

/** So many keys at a time end with the stream. */
const PAGE = 1000;

export class ColdKeys {
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, name: string) {
    this.#storage = storage;
    this.#prefix = `window/${name}/key/`;
  }

  async get(key: string): Promise<KeptCount | undefined> {
    return (await this.#storage.get(this.#prefix + keySlot(key))) as KeptCount | undefined;
  }

  /** The next of all that are stored, and behind which place the ones after those are; none where these are the last. */
  async page(after: string | null): Promise<KeptPage> {
    const page = await this.#storage.list(this.#prefix, { after: after ?? undefined, limit: PAGE });
    return {
      kept: page.map(([, value]) => value as KeptCount),
      next: page.length < PAGE ? null : page.at(-1)![0],
    };
  }

  put(kept: KeptCount): readonly [key: string, value: KeptCount] {
    return [this.#prefix + keySlot(kept.name), kept];
  }
}
