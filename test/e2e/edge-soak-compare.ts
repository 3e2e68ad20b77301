/** What the soak of the edge is judged by. The oracle: lists, sets and maps. */
import type { WireEvent } from '../../src/event/wire.ts';
import type { Receiver } from '../unit/delivery-receiver.ts';

/** An event says by itself which one it is, as its id may be the edge's own. */
export function nameOf({ data }: WireEvent): string {
  return (data as { readonly name: string }).name;
}

function numberOf({ data }: WireEvent): number {
  return (data as { readonly number: number }).number;
}

/** `acknowledged` are ids. */
export function compareLog(acknowledged: readonly string[], log: readonly WireEvent[]) {
  const there = new Set(log.map(({ id }) => id));
  const names = new Set(log.map(nameOf));
  return {
    acknowledged: acknowledged.length,
    stored: log.length,
    lost: acknowledged.filter((id) => !there.has(id)).length,
    doubled: log.length - Math.min(there.size, names.size),
    outOfOrder: countBackwards(log),
  };
}

export function compareDeliveries(
  { received, accepted, forged }: Pick<Receiver, 'received' | 'accepted' | 'forged'>,
  matching: readonly WireEvent[],
) {
  const given = idsOf(accepted);
  const firsts = [...new Map(received.toReversed().map((one) => [one.id, one])).values()].toReversed();
  const inOrder = firsts.flatMap(eventsOf);
  const twice = inOrder.length - new Set(inOrder.map(({ id }) => id)).size;
  return {
    undelivered: matching.filter(({ id }) => !given.has(id)).length,
    misdelivered: countBackwards(inOrder) + twice + forged.length,
  };
}

/** Of what a live reader was sent, all connections together. */
export function compareReading(seen: readonly WireEvent[], log: readonly WireEvent[]) {
  const ids = new Set(seen.map(({ id }) => id));
  return {
    missed: log.filter(({ id }) => !ids.has(id)).length,
    repeated: seen.length - ids.size + countBackwards(seen),
  };
}

export function idsOf(received: Receiver['received']): ReadonlySet<string> {
  return new Set(received.flatMap(eventsOf).map(({ id }) => id));
}

function eventsOf({ body }: { readonly body: string }): readonly WireEvent[] {
  return [JSON.parse(body) as WireEvent | WireEvent[]].flat();
}

/** Those that stand behind a later one of their key. */
function countBackwards(events: readonly WireEvent[]): number {
  const last = new Map<string, number>();
  let count = 0;
  for (const event of events) {
    const key = event.subject!;
    if (numberOf(event) < (last.get(key) ?? -1)) count++;
    last.set(key, Math.max(numberOf(event), last.get(key) ?? -1));
  }
  return count;
}
