/** Keys as small dense numbers, so that state is found by index. A key that nothing holds any more is forgotten. */
import { invalidWindow } from './windows.ts';

export class KeyIds {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #free: number[] = [];
  /** Made since the last sweep, and held by nothing yet. */
  #fresh: number[] = [];
  #holds = new Int32Array(64);

  /** How many keys there are. */
  get size(): number {
    return this.#ids.size;
  }

  /** All ids are below it. */
  get capacity(): number {
    return this.#names.length;
  }

  /** @throws MillraceError `query.invalid` for a key that is no string */
  of(key: string): number {
    return this.#ids.get(key) ?? this.#make(key);
  }

  name(id: number): string {
    return this.#names[id]!;
  }

  hold(id: number): void {
    this.#holds[id]!++;
  }

  release(id: number): void {
    if (--this.#holds[id]! === 0) this.#forget(id);
  }

  /** Forgets what was made since the last sweep and is held by nothing. */
  sweep(): void {
    if (this.#fresh.length === 0) return;
    for (const id of this.#fresh) {
      if (this.#holds[id] === 0 && this.#ids.get(this.#names[id]!) === id) this.#forget(id);
    }
    this.#fresh = [];
  }

  #make(key: string): number {
    if (typeof key !== 'string') throw invalidWindow('key', key, 'must be a string for every event');
    const id = this.#free.pop() ?? this.#names.length;
    this.#ids.set(key, id);
    this.#names[id] = key;
    if (id >= this.#holds.length) this.#holds = grown(this.#holds, id + 1);
    this.#fresh.push(id);
    return id;
  }

  #forget(id: number): void {
    this.#ids.delete(this.#names[id]!);
    // Not the name: a key that is forgotten twice must be told from one that was made anew.
    this.#free.push(id);
  }
}

/** The same numbers with room for more, at least doubled. What is new is 0. */
export function grown(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(length, array.length * 2));
  larger.set(array);
  return larger;
}
