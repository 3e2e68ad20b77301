/** What a stream hands on. */
import type { LateEvent, WindowUpdate } from '../window-update.ts';

/**
 * A window's result, numbered. Whoever keeps the greatest revision of each (name, window, key), and takes away what is
 * `removed`, has what a recount of all events would give.
 */
export type StreamResult<Value = unknown> = WindowUpdate<Value> & {
  /** From 1 on, without a gap: who sees one twice knows it by this. In memory alone it begins anew with each run. */
  readonly sequence: number;
};

/** An event that came later than a window allows, as the source has it. Numbered like the results, but for itself. */
export type StreamLate = LateEvent & { readonly sequence: number };

/** Numbered from 1 on, without a gap. */
export interface Item {
  readonly sequence: number;
}

/** Numbers the items from `last` on. */
export function numbered<T>(items: readonly T[], last: number): readonly (T & Item)[] {
  return items.map((item, i) => ({ ...item, sequence: last + i + 1 }));
}
