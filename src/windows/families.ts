/** Sorts the windows of a stream into those that share their state. */
import { openTable } from './aggregations/accumulators.ts';
import type { Chunk } from './chunk.ts';
import { ColdKeys } from './cold-keys.ts';
import { ColdSessions } from './cold-sessions.ts';
import { ColdSlices } from './cold-slices.ts';
import { CountedWindows } from './counted-windows.ts';
import type { KeyIds } from './key-ids.ts';
import { keySlot } from './key-slot.ts';
import {
  latenessOf,
  type AnyAggregation,
  type StreamWindow,
  type WindowOperatorOptions,
} from './operator-options.ts';
import { SessionWindows } from './session-windows.ts';
import { groupBySlices, type SlicedWindowKind } from './slicer.ts';
import { SlicedWindows } from './sliced-windows.ts';
import type { WindowFamily } from './window-family.ts';

export function openFamilies(
  options: WindowOperatorOptions,
  keys: KeyIds,
  chunk: Chunk,
): readonly WindowFamily[] {
  const sliced = slicedFamilies(options, keys, chunk);
  const others = options.windows.flatMap((window) => otherFamily(window, options, keys, chunk) ?? []);
  return [...sliced, ...others];
}

function slicedFamilies(
  options: WindowOperatorOptions,
  keys: KeyIds,
  chunk: Chunk,
): readonly WindowFamily[] {
  const { windows, storage, name = 'windows' } = options;
  return sharing(windows).flatMap(({ kinds, suffix }) =>
    groupBySlices(kinds).map((group) => {
      const own = group.slicer.name + suffix;
      const cold = storage && new ColdSlices(storage, `~/${name}/${own}`);
      const lateness = (window: StreamWindow): number => latenessOf(window, options);
      return new SlicedWindows({ name: own, group, windows, latenessOf: lateness, keys, chunk, cold });
    }),
  );
}

interface Sharing {
  readonly kinds: Map<number, SlicedWindowKind>;
  /** Tells its families from those of others. */
  readonly suffix: string;
}

/**
 * An event that one aggregation refuses is counted by the others: so those that may refuse one share rows, and how many
 * events are in a row, with nobody else.
 */
function sharing(windows: readonly StreamWindow[]): readonly Sharing[] {
  const all = new Map<AnyAggregation | undefined, Sharing>();
  for (const [place, window] of windows.entries()) {
    const { windows: kind } = window;
    if (kind.kind !== 'tumbling' && kind.kind !== 'hopping' && kind.kind !== 'days') continue;
    const aggregation = window.aggregation as AnyAggregation;
    const who = openTable(aggregation).fallible ? aggregation : undefined;
    const suffix = who === undefined ? '' : `~${keySlot(window.name)}`;
    let shared = all.get(who);
    if (shared === undefined) all.set(who, (shared = { kinds: new Map(), suffix }));
    shared.kinds.set(place, kind);
  }
  return [...all.values()];
}

function otherFamily(
  window: StreamWindow,
  options: WindowOperatorOptions,
  keys: KeyIds,
  chunk: Chunk,
): WindowFamily | undefined {
  const { storage, name = 'windows' } = options;
  const { windows: kind } = window;
  const place = `~/${name}/${keySlot(window.name)}`;
  const latenessMs = latenessOf(window, options);
  if (kind.kind === 'session') {
    const cold = storage && new ColdSessions(storage, place, latenessMs < Infinity);
    const { gapMs } = kind;
    return new SessionWindows({ window, gapMs, latenessMs, keys, chunk, cold });
  }
  if (kind.kind === 'count' || kind.kind === 'global') {
    const cold = storage && new ColdKeys(storage, place);
    const { size, slide = size } = kind.kind === 'count' ? kind : { size: Infinity };
    return new CountedWindows({ window, size, slide, keys, chunk, cold });
  }
  return undefined;
}
