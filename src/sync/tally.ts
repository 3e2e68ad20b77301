/**
 * What became of a device's events beside the push: counted in the log itself, in the commit that it belongs to, so that
 * several tabs may count at the same time and a reload forgets nothing.
 */
import { hasCode } from '../errors.ts';
import type { Commit, Storage } from '../storage/storage.ts';

export interface Tally {
  /** Dead letters that the edge has taken after all. */
  readonly resent: number;
  /** Dead letters that were dropped. */
  readonly discarded: number;
  /** Events that were never taken into the log, for want of room. */
  readonly shed: number;
}

export interface TallyChange extends Pick<Commit, 'put'> {
  readonly what: keyof Tally;
  readonly count: number;
}

const KEY = 'sync/tally';

export async function readTally(storage: Storage): Promise<Tally> {
  const none: Tally = { resent: 0, discarded: 0, shed: 0 };
  return ((await storage.get(KEY)) as unknown as Tally | undefined) ?? none;
}

/** Counts once, however many count at the same time: the change is made anew where another came first. */
export async function countOnce(
  storage: Storage,
  change: () => TallyChange | Promise<TallyChange>,
): Promise<number> {
  for (;;) {
    const seq = ((await storage.producer(KEY))?.seq ?? 0) + 1;
    const tally = await readTally(storage);
    const { what, count, put = [] } = await change();
    if (count === 0) return 0;
    const value = { ...tally, [what]: tally[what] + count };
    const [result] = await storage.commit([
      { events: [], advance: [{ id: KEY, epoch: 1, seq }], put: [...put, [KEY, value]] },
    ]);
    if (result!.ok) return count;
    if (!hasCode(result!.error, 'producer.gap')) throw result!.error;
  }
}
