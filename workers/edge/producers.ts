/** What a shard knows of each producer beside its head: its chain, and where its events stand. */
import type { Position } from '../../src/storage/position.ts';
import type { ProducerHead, Storage, StoredValue } from '../../src/storage/storage.ts';
import type { ChainHead } from '../../src/sync/chain.ts';
import type { CommitLog } from './commit-log.ts';

/** The storage's own consumers are producers too: those from outside have a name space of their own. */
export const PRODUCER_PREFIX = 'client/';

/** What the edge states of a producer: all of its events up to `seq` are here; with a chain, whole and unaltered. */
export interface ProducerStatement extends ProducerHead {
  readonly chain?: ChainHead;
  /** Its events' data is erased, or being erased, and it may push no more. Its last sequence is the edge's own. */
  readonly forgotten?: true;
  /** How far this edge's clock is ahead of the producer's, in ms, as it said last. */
  readonly skewMs?: number;
}

/** What became of a producer that was to be forgotten. */
export interface Forgotten {
  /** Events whose data is erased. */
  readonly events: number;
}

/** Of an erased producer: no leader ever comes to a later one. */
const LAST_EPOCH = Number.MAX_SAFE_INTEGER;
const RANGES_A_PAGE = 1000;
const DIGITS = 16;

const chainKey = (producer: string): string => `chain/${producer}`;
const skewKey = (producer: string): string => `skew/${producer}`;
const rangePrefix = (producer: string): string => `pushed/${producer}/`;

export async function chainOf(storage: Storage, producer: string): Promise<ChainHead | undefined> {
  return (await storage.get(chainKey(producer))) as ChainHead | undefined;
}

export function chainEntry(producer: string, head: ChainHead): readonly [string, StoredValue] {
  return [chainKey(producer), { ...head }];
}

export function skewEntry(producer: string, skewMs: number): readonly [string, StoredValue] {
  return [skewKey(producer), skewMs];
}

/** Zeros for a producer that never wrote. */
export async function stateProducer(storage: Storage, producer: string): Promise<ProducerStatement> {
  const head = (await storage.producer(PRODUCER_PREFIX + producer)) ?? { epoch: 0, seq: 0 };
  const chain = await chainOf(storage, producer);
  const skewMs = (await storage.get(skewKey(producer))) as number | undefined;
  return {
    ...head,
    ...(skewMs !== undefined && { skewMs }),
    ...(chain !== undefined && { chain }),
    ...(isForgotten(head) && { forgotten: true }),
  };
}

/** Whether it was to be forgotten while a push of it was under way. */
function isForgotten({ epoch }: ProducerHead): boolean {
  return epoch === LAST_EPOCH;
}

/**
 * Where a push's events stand, to be noted, so that they can be found again when the producer is to be forgotten. A push
 * whose note is lost was not answered either: it comes again, and is noted then.
 */
export function positionNotes(
  producer: string,
  positions: readonly Position[],
): readonly (readonly [key: string, to: Position])[] {
  return rangesOf(positions).map(
    ([from, to]) => [rangePrefix(producer) + String(from).padStart(DIGITS, '0'), to] as const,
  );
}

/** Erases the data of all that the producer has pushed, and takes nothing more from it. Again, it does the rest. */
export async function forgetProducer(storage: CommitLog, producer: string): Promise<Forgotten> {
  await fenceForever(storage, producer);
  let events = 0;
  const prefix = rangePrefix(producer);
  for (let after = ''; ;) {
    const ranges = await storage.list(prefix, { after, limit: RANGES_A_PAGE });
    for (const [key, to] of ranges) {
      const from = Number(key.slice(prefix.length));
      for (let next = from; next <= (to as Position);)
        next = (await storage.erase(next, to as Position)) + 1;
      events += (to as Position) - from + 1;
    }
    if (ranges.length < RANGES_A_PAGE) return { events };
    after = ranges.at(-1)![0];
  }
}

async function fenceForever(storage: Storage, producer: string): Promise<void> {
  const id = PRODUCER_PREFIX + producer;
  const { epoch, seq } = (await storage.producer(id)) ?? { epoch: 0, seq: 0 };
  if (epoch === LAST_EPOCH) return;
  // A push that came between makes this one no next; it is asked for again until it is.
  const range = { id, epoch: LAST_EPOCH, seq: seq + 1, count: 1 };
  const [result] = await storage.commit([{ events: [], producer: range }]);
  if (!result!.ok) await fenceForever(storage, producer);
}

/** Runs of consecutive positions; 0 stands for an event that was trimmed since. */
function rangesOf(positions: readonly Position[]): readonly (readonly [Position, Position])[] {
  const ranges: [Position, Position][] = [];
  for (const position of positions.filter((at) => at > 0).toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && position <= last[1] + 1) last[1] = position;
    else ranges.push([position, position]);
  }
  return ranges;
}
