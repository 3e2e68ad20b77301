/**
 * A producer's push over several shards. Each gets the whole range with its own events alone, so that each keeps a
 * gap-free head of it. One of them is the producer's home, by the hash of its id: it is told last, when all others have
 * the range, so that its head is what all have, and it keeps the chain.
 *
 * What was sent in one piece and not acknowledged may come again in other pieces: a shard that was told before, and is
 * ahead, takes of a range what it has not, and knows the rest again.
 */
import type { Push } from '../../../src/sync/protocol.ts';
import type { ProducerStatement } from '../producers.ts';
import { unwrap, type PushOutcome, type ShardCalls, type ShardPush } from '../shard-calls.ts';
import { indexOf, partitionOf, type Keyed } from './partition.ts';
import { allSettled } from './shard-set.ts';

export interface PushPart {
  readonly push: ShardPush;
  /** Of its lines, their indexes in the whole push. */
  readonly indexes: readonly number[];
}

export interface SplitOptions {
  /** What its lines say. */
  readonly events: readonly Keyed[];
  readonly shards: number;
  /** The indexes of lines that stand in an epoch before. */
  readonly dropped: ReadonlySet<number>;
}

/** One part for each shard. */
export function splitPush(given: Push, { events, shards, dropped }: SplitOptions): readonly PushPart[] {
  const { holes: _, lines, chain, ...rest } = given;
  const seqs = seqsOf(given);
  const home = indexOf(given.producer, shards);
  const parts = Array.from({ length: shards }, () => [] as number[]);
  for (const [index, event] of events.entries())
    if (!dropped.has(index)) parts[partitionOf(event, shards)]!.push(index);
  return parts.map((indexes, shard) => ({
    indexes,
    push: {
      ...rest,
      lines: indexes.map((index) => lines[index]!),
      ...(shard === home ? chain && { chain } : { seqs: indexes.map((index) => seqs[index]!) }),
    },
  }));
}

function seqsOf({ seq, holes, lines }: Push): readonly number[] {
  const skipped = new Set(holes);
  let next = seq;
  return lines.map(() => {
    while (skipped.has(next)) next++;
    return next++;
  });
}

export interface PushPartsOptions {
  readonly shards: readonly ShardCalls[];
  readonly home: number;
  /** Of the producer, in the epochs before; none where there are none. */
  readonly stated?: (() => Promise<ProducerStatement>) | undefined;
}

/** The others first, then the home. @throws MillraceError as a shard does */
export async function pushParts(
  parts: readonly PushPart[],
  { shards, home, stated }: PushPartsOptions,
): Promise<PushOutcome> {
  const send = async (shard: number): Promise<PushOutcome> => {
    const { push } = parts[shard]!;
    const first = unwrap(await shards[shard]!.push({ ...push, ...(stated && { adopts: 'ask' }) }));
    if (!('adopt' in first)) return first;
    return unwrap(await shards[shard]!.push({ ...push, adopts: await stated!() }));
  };
  const others = [...parts.keys()].filter((shard) => shard !== home);
  const outcomes = await allSettled(
    others.map(async (shard) => ({ shard, outcome: await send(shard) })),
  );
  const conflicts = outcomes.flatMap(({ shard, outcome }) => conflictsOf(outcome, parts[shard]!));
  if (conflicts.length > 0) return { conflicts: conflicts.toSorted((a, b) => a - b) };
  const outcome = await send(home);
  if (!('seq' in outcome)) return { conflicts: conflictsOf(outcome, parts[home]!) };
  const duplicates = outcomes.reduce(
    (sum, one) => sum + ('seq' in one.outcome ? one.outcome.duplicates : 0),
    0,
  );
  return { ...outcome, duplicates: outcome.duplicates + duplicates };
}

function conflictsOf(outcome: PushOutcome, { indexes }: PushPart): readonly number[] {
  return 'conflicts' in outcome ? outcome.conflicts.map((at) => indexes[at]!) : [];
}
