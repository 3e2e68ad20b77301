/** Retention: forgets the start of a log, by age, count and size. What is left keeps its positions and versions. */
import type { Ports } from '../../ports.ts';
import type { Position } from '../position.ts';
import type { Storage } from '../storage.ts';

/** All that is given is kept to: the strictest decides. */
export interface RetentionPolicy {
  /** Forgets events that happened longer ago, up to the first that did not. */
  readonly maxAgeMs?: number | undefined;
  readonly maxEvents?: number | undefined;
  /** Characters of the events' lines. */
  readonly maxBytes?: number | undefined;
}

export interface RetentionOptions {
  readonly ports: Pick<Ports, 'now'>;
  /** Producers whose sequence is a position of this log, as `checkpointOf` names them: nothing they have yet to read goes. */
  readonly keepFor?: readonly string[] | undefined;
}

export interface Retained {
  /** How many events were forgotten. */
  readonly forgotten: number;
  /** Everything up to here is forgotten. */
  readonly trimmed: Position;
  /** The producer that holds more than the policy would. */
  readonly heldFor?: string;
}

const PAGE_EVENTS = 1000;

/**
 * Applies the policy once. An aggregate whose first events go is read from its snapshot from then on.
 *
 * @throws MillraceError as `Storage` does
 */
export async function retain(
  storage: Storage,
  policy: RetentionPolicy,
  options: RetentionOptions,
): Promise<Retained> {
  const before = await storage.stats();
  const asked = await trimPoint(storage, policy, options.ports.now());
  const { until, heldFor } = await hold(storage, asked, options.keepFor ?? []);
  if (until > before.trimmed) await storage.trim(until);
  const after = await storage.stats();
  const forgotten = after.trimmed - before.trimmed;
  return { forgotten, trimmed: after.trimmed, ...(heldFor !== undefined && { heldFor }) };
}

/** Up to where the policy asks to forget: it walks from the oldest event to the first that stays. */
async function trimPoint(storage: Storage, policy: RetentionPolicy, now: number): Promise<Position> {
  const { maxAgeMs = Infinity, maxEvents = Infinity, maxBytes = Infinity } = policy;
  const stats = await storage.stats();
  const byCount = stats.head - Math.max(0, maxEvents);
  let until = Math.max(stats.trimmed, Math.min(byCount, stats.head));
  let { bytes } = stats;
  for (let after = stats.trimmed; after < stats.head;) {
    const page = await storage.read({ after, before: stats.head + 1, limit: PAGE_EVENTS });
    for (const { position, line, event } of page.events) {
      const counted = position <= until;
      const goes = counted || bytes > maxBytes || event.timestamp < now - maxAgeMs;
      if (!goes) return until;
      bytes -= line.length;
      until = Math.max(until, position);
    }
    if (!page.more) break;
    after = page.next;
  }
  return until;
}

async function hold(
  storage: Storage,
  asked: Position,
  keepFor: readonly string[],
): Promise<{ until: Position; heldFor?: string }> {
  let held: { until: Position; heldFor?: string } = { until: asked };
  for (const id of keepFor) {
    const seq = (await storage.producer(id))?.seq ?? 0;
    if (seq < held.until) held = { until: seq, heldFor: id };
  }
  return held;
}
