/**
 * What a producer does when the edge's memory of it and its own log do not fit. Every way ends in a push that the edge
 * can check by the events' ids, so that nothing is taken for stored that is not, and what is stored is not stored twice.
 */
import { hasCode } from '../errors.ts';
import type { Position, Storage } from '../storage/storage.ts';
import type { Leadership } from './producer-state.ts';

export interface Recovery {
  /** All up to this position is covered at the edge. Missing: not known. */
  readonly edgeHas: Position | undefined;
}

/**
 * Brings the leader's state in line with the edge's answer. `undefined` where the error is none of these.
 *
 * @throws MillraceError `producer.fenced` where another leader of this log has taken over.
 */
export async function recover(
  lead: Leadership,
  storage: Storage,
  error: unknown,
): Promise<Recovery | undefined> {
  if (hasCode(error, 'producer.gap')) return recoverGap(lead, storage, error.details.expected);
  if (hasCode(error, 'producer.diverged')) {
    // The log has lost its tail since: its sequences name other events now. The edge drops by id what it has already.
    await lead.renew(lead.acked);
    return { edgeHas: undefined };
  }
  if (hasCode(error, 'chain.broken') && error.details.part === 'before') {
    // Two hashes of the same events, and no telling whose is right: a chain of its own begins with what is not there yet.
    if (lead.chain !== '') await lead.renew(lead.acked);
    else await lead.adopt(error.details.expected);
    return { edgeHas: undefined };
  }
  if (hasCode(error, 'producer.fenced') && Number.isSafeInteger(error.details.current + 1)) {
    // Another leader of this log ends it here. If there is none, a copy of the log, or this one before it lost its
    // tail, has written: this one goes on above its epoch, and finds out by the sequences whether the two diverge.
    await lead.reload();
    await lead.raise(Math.max(error.details.current, lead.identity.epoch) + 1);
    return { edgeHas: undefined };
  }
  return undefined;
}

async function recoverGap(
  lead: Leadership,
  storage: Storage,
  expected: number,
): Promise<Recovery | undefined> {
  if (!Number.isSafeInteger(expected) || expected < 1) return undefined;
  const edgeHas = lead.identity.base + expected - 1;
  // Ahead: an answer was lost. The range up to there is repeated, and the edge says whether it has these very events.
  if (edgeHas >= lead.acked) return { edgeHas };
  // Behind: the edge has lost what it had acknowledged.
  const { trimmed } = await storage.stats();
  if (trimmed <= edgeHas) {
    await lead.rewind(edgeHas);
    return { edgeHas };
  }
  // Some of it is no longer here: what is left is sent anew, by a producer whose sequence starts there.
  await lead.renew(Math.min(trimmed, lead.acked));
  return { edgeHas: undefined };
}
