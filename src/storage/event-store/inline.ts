/**
 * Folds that change in the very commit that stores the events. What a fold writes depends on what it read, so each
 * commit takes the fold's own sequence one step further: of two that read the same, one reads again.
 */
import { hasCode } from '../../errors.ts';
import type { Event } from '../../event/event.ts';
import type { Commit, MaybePromise, ProducerRange, Storage } from '../storage.ts';
import type { Appended } from './appended.ts';

export interface InlineFold {
  /** Its own sequence is the producer `inline/` + name. */
  readonly name: string;
  /** Whether the fold cares for the event at all. */
  selects(event: Event): boolean;
  /**
   * What to put for events that are new to the log, none of which was folded before, and what else to advance for it.
   *
   * @throws MillraceError `projection.failed`: nothing of the commit is stored then.
   */
  fold(events: readonly Event[], storage: Storage): MaybePromise<Pick<Commit, 'put' | 'advance'>>;
}

export function inlineSequence(name: string): string {
  return `inline/${name}`;
}

/** Commits with what the folds put; `today` are the commit's events as folds see them, in the same order. */
export async function commitInline(
  storage: Storage,
  folds: readonly InlineFold[],
  commit: Commit,
  today: readonly Event[],
  write: (commit: Commit) => MaybePromise<Appended>,
): Promise<Appended> {
  for (;;) {
    const advance: ProducerRange[] = [];
    const put = [...(commit.put ?? [])];
    const wanted = folds.filter((fold) => today.some((event) => fold.selects(event)));
    for (const { name } of wanted) {
      const id = inlineSequence(name);
      advance.push({ id, epoch: 1, seq: ((await storage.producer(id))?.seq ?? 0) + 1 });
    }
    const fresh = wanted.length > 0 ? await freshOf(storage, commit.events, today) : [];
    for (const fold of wanted) {
      const selected = fresh.filter((event) => fold.selects(event));
      if (selected.length === 0) continue;
      const folded = await fold.fold(selected, storage);
      put.push(...(folded.put ?? []));
      advance.push(...(folded.advance ?? []));
    }
    try {
      return await write({ ...commit, put, advance: [...(commit.advance ?? []), ...advance] });
    } catch (error) {
      if (!hasCode(error, 'producer.gap') || !advance.some(({ id }) => id === error.details.producer))
        throw error;
    }
  }
}

/** The events that are not in the log yet, each once. Read after the sequences: what comes in between moves them. */
async function freshOf(
  storage: Storage,
  stored: readonly Event[],
  today: readonly Event[],
): Promise<readonly Event[]> {
  const fresh: Event[] = [];
  const seen = new Set<string>();
  for (const [i, { id }] of stored.entries()) {
    if (seen.has(id) || (await storage.read({ id, limit: 1 })).events.length > 0) continue;
    seen.add(id);
    fresh.push(today[i]!);
  }
  return fresh;
}
