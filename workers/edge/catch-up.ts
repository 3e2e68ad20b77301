/** Brings a view up to what a reader may expect, in bounded steps, with room for other requests between them. */
import type { Storage } from '../../src/storage/storage.ts';

export interface CatchUpWithHeadOptions {
  /** The view's: its sequence is the position that it has read to. */
  readonly producer: string;
  /** One bounded step of the view. */
  readonly step: () => Promise<unknown>;
  /** Lets other requests have their turn. */
  readonly turn: () => Promise<void>;
}

/** Resolves when the view has read all that was committed before the call. What is committed meanwhile may be missing. */
export async function catchUpWithHead(
  storage: Pick<Storage, 'stats' | 'producer'>,
  { producer, step, turn }: CatchUpWithHeadOptions,
): Promise<void> {
  const { head } = await storage.stats();
  const position = async () => (await storage.producer(producer))?.seq ?? 0;
  for (let at = await position(); at < head;) {
    await step();
    const reached = await position();
    // A step that comes no further never will.
    if (reached <= at) return;
    at = reached;
    if (at < head) await turn();
  }
}
