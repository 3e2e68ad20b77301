/**
 * What is stored already of lines that are brought: each is looked up where its key leads to, in one shard of each epoch
 * that has ended, and in none where its id is provably not. So it costs the more the more epochs there were, and nothing
 * for ids that were made since.
 */
import type { Event } from '../../../src/event/event.ts';
import { decodeLine } from '../../../src/event/wire.ts';
import { unwrap, type KnownLine } from '../shard-calls.ts';
import { partitionOf } from './partition.ts';
import { isProvablyNot, openEpoch, type ShardEpoch, type ShardMap } from './shard-map.ts';
import { allSettled, type ShardSet } from './shard-set.ts';

export interface Brought {
  readonly lines: readonly string[];
  /** What the lines say. */
  readonly events: readonly Event[];
  /** The indexes of those whose time the edge has set for want of one. */
  readonly untimed: ReadonlySet<number>;
}

export interface KnownOptions {
  /**
   * Whether what stands against the lines in the open epoch is looked for too. A shard finds it itself when it stores,
   * so that it matters where several are to agree beforehand. Default: where several are concerned.
   */
  readonly open?: 'never' | 'shared' | 'always';
}

export function broughtLines(lines: readonly string[], untimed: readonly number[] = []): Brought {
  return { lines, events: lines.map((line) => decodeLine(line)), untimed: new Set(untimed) };
}

/**
 * Of each line what is known of it in sealed epochs, and what stands against it in the open one.
 *
 * @throws MillraceError as a shard does
 */
export async function knownLines(
  shards: ShardSet,
  map: ShardMap,
  brought: Brought,
  { open = 'shared' }: KnownOptions = {},
): Promise<readonly (KnownLine | null)[]> {
  const known: (KnownLine | null)[] = brought.lines.map(() => null);
  const asked = map.epochs.flatMap((epoch) => {
    if (epoch.sealed === undefined && open === 'never') return [];
    const parts = partsToAsk(epoch, brought);
    if (epoch.sealed === undefined && open === 'shared' && parts.size === 1) return [];
    return [...parts].map(async ([shard, indexes]) => {
      const found = await compare(shards, { epoch, shard, indexes }, brought);
      for (const [at, one] of found.entries()) if (one !== null) known[indexes[at]!] ??= one;
    });
  });
  await allSettled(asked);
  for (const index of strayed(brought, openEpoch(map)))
    known[index] ??= { same: false, timestamp: 0, open: true };
  // What only the open epoch knows is for its shard to say.
  return known.map((one) => (one !== null && one.open && one.same ? null : one));
}

export function conflictsIn(known: readonly (KnownLine | null)[]): readonly number[] {
  return known.flatMap((one, index) => (one?.same === false ? [index] : []));
}

/** By shard, the indexes of the lines that may be there. */
function partsToAsk(
  { shards, sealed }: ShardEpoch,
  { events }: Brought,
): ReadonlyMap<number, readonly number[]> {
  const parts = new Map<number, number[]>();
  for (const [index, event] of events.entries()) {
    const shard = partitionOf(event, shards);
    if (sealed !== undefined && isProvablyNot(event.id, sealed[shard]!)) continue;
    const part = parts.get(shard);
    if (part === undefined) parts.set(shard, [index]);
    else part.push(index);
  }
  return parts;
}

interface Part {
  readonly epoch: ShardEpoch;
  readonly shard: number;
  readonly indexes: readonly number[];
}

async function compare(
  shards: ShardSet,
  { epoch, shard, indexes }: Part,
  { lines, untimed }: Brought,
): Promise<readonly (KnownLine | null)[]> {
  const part = indexes.map((index) => lines[index]!);
  const late = indexes.flatMap((index, at) => (untimed.has(index) ? [at] : []));
  return unwrap(await shards.at(epoch, shard).compare(part, late));
}

/** An id that stands twice in one request with keys of two shards: neither shard would see the other. */
function strayed({ events }: Brought, { shards }: ShardEpoch): readonly number[] {
  const first = new Map<string, number>();
  return events.flatMap((event, index) => {
    const shard = partitionOf(event, shards);
    const before = first.get(event.id);
    if (before === undefined) first.set(event.id, shard);
    return before === undefined || before === shard ? [] : [index];
  });
}
