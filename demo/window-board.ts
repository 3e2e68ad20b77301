/** The windows that a chart shows, as they were last heard of, and which of them were revised after they had ended. */
import type { WindowResult } from '../src/windows/windowed-view.ts';

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

  /** Takes results in. Of one window and key the newest revision counts, in whatever order they come. */
  merge(results: readonly CountWindow[], now: number): Revision[] {
    const added = new Map<number, number>();
    for (const result of results) {
      const key = `${result.window.start}/${result.key}`;
      const known = this.#results.get(key);
      if (known !== undefined && known.revision >= result.revision) continue;
      this.#results.set(key, result);
      const { start, end } = result.window;
      if (end <= now) added.set(start, (added.get(start) ?? 0) + result.value.count - (known?.value.count ?? 0));
    }
    // What the first load brings is not news.
    const revisions = this.#loaded ? [...added].map(([start, by]) => ({ start, by })) : [];
    this.#loaded = true;
    return revisions;
  }

  /** Forgets the windows that ended by `time`, so that a page left open for days stays small. */
  forget(time: number): void {
    for (const [key, result] of this.#results) if (result.window.end <= time) this.#results.delete(key);
  }

  /** By start, then by key, as `client.windows` gives them. */
  results(): CountWindow[] {
    return [...this.#results.values()].sort(
      (a, b) => a.window.start - b.window.start || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
    );
  }
}
