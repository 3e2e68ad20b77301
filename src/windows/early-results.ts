/** Results that are handed on before their window's end: what has changed since, and what was handed on. */
import type { JsonValue } from '../storage/storage.ts';
import { NestedMap } from './nested-map.ts';
import type { Emitted } from './window-plan.ts';

/** What has changed and was not handed on yet, and what was: kept with the state. */
export type EarlyState = readonly (readonly [
  start: number,
  key: string,
  changed: boolean,
  emitted: { readonly [field: string]: JsonValue } | null,
])[];

/** The results of a window that are handed on before its end: by its start, whatever that counts. */
export class Early {
  readonly changed = new NestedMap<true>();
  readonly emitted = new NestedMap<Emitted>();

  close(start: number): void {
    this.changed.deleteAll(start);
    this.emitted.deleteAll(start);
  }

  save(nameOf: (key: number) => string): EarlyState {
    const kept = new NestedMap<[boolean, Emitted | null]>();
    for (const [start, key] of this.changed) kept.set(start, key, [true, null]);
    for (const [start, key, emitted] of this.emitted)
      kept.set(start, key, [this.changed.has(start, key), emitted]);
    return [...kept].map(([start, key, [changed, emitted]]) => [
      start,
      nameOf(key),
      changed,
      emitted as { readonly [field: string]: JsonValue } | null,
    ]);
  }

  restore(state: EarlyState, idOf: (key: string) => number): void {
    this.changed.clear();
    this.emitted.clear();
    for (const [start, name, changed, emitted] of state) {
      const key = idOf(name);
      if (changed) this.changed.set(start, key, true);
      if (emitted !== null) this.emitted.set(start, key, emitted as unknown as Emitted);
    }
  }
}
