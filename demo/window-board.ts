/** The windows that a chart shows, as they were last heard of, and which of them were revised after they had ended. */
import type { WindowResult } from 'millrace';

export type CountWindow = WindowResult<{ readonly count: number }>;

/** A window that had ended, and then counted another event after all. */
export interface Revision {
  readonly start: number;
  /** How many more. */
  readonly by: number;
}

export class WindowBoard {
  readonly #results = new Map<string, CountWindow>();
  #loaded = false;

  /** Takes news in. Of one window and key the newest revision counts, in whatever order they come. */
  merge(results: readonly CountWindow[], now: number): Revision[] {
    const added = new Map<number, number>();
    for (const result of results) {
      const key = keyOf(result);
      const known = this.#results.get(key);
      if (known !== undefined && known.revision >= result.revision) continue;
      this.#results.set(key, result);
      const { start, end } = result.window;
      if (end > now) continue;
      added.set(start, (added.get(start) ?? 0) + result.value.count - (known?.value.count ?? 0));
    }
    return this.#loaded ? [...added].map(([start, by]) => ({ start, by })) : [];
  }

  /** Takes all that there is in; what the first load brings is not news. */
  load(results: readonly CountWindow[], now: number): Revision[] {
    const revisions = this.merge(results, now);
    this.#loaded = true;
    return revisions;
  }

  /** As `load`, from a source that may have begun anew: what it does not hold any more is dropped. */
  replace(results: readonly CountWindow[], now: number): Revision[] {
    const held = new Map(results.map((result) => [keyOf(result), result.revision]));
    for (const [key, known] of this.#results) {
      if ((held.get(key) ?? -1) < known.revision) this.#results.delete(key);
    }
    return this.load(results, now);
  }

  /** Forgets the windows that ended by `time`, so that a page left open for days stays small. */
  forget(time: number): void {
    for (const [key, result] of this.#results) if (result.window.end <= time) this.#results.delete(key);
  }

  /** By start, then by key, as `client.windows` gives them. */
  results(): CountWindow[] {
    return [...this.#results.values()].toSorted(
      (a, b) => a.window.start - b.window.start || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
    );
  }
}

function keyOf({ window, key }: CountWindow): string {
  return `${window.start}/${key}`;
}
