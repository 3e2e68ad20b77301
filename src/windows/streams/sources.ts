/**
 * Where a stream's events come from.
 *
 * A store is read from a checkpoint: each of its events counts once, over any restart. A bus and topics are heard from the
 * start of the run on, and nothing of them is kept: a restart begins anew, and an event that comes after its window's end
 * (by the watermark) is late. To have late events counted for ever, have them stored, and read the store.
 */
import type { Event } from '../../event/event.ts';
import type { Undo } from '../../ports.ts';
import type { EventStore } from '../../storage/event-store/event-store.ts';

export interface StoreSource {
  readonly kind: 'store';
  readonly store: EventStore;
  readonly types: readonly string[] | undefined;
}

/** What is heard while it is listened to. */
export interface LiveSource {
  readonly kind: 'live';
  /** Calls `take` with each event from now on; the publisher waits for a promise that it answers. */
  listen(take: (event: Event) => Promise<void> | undefined): Undo;
}

export type StreamSource = StoreSource | LiveSource;

export interface StoreSourceOptions {
  /** Only events of these types. Default: all. */
  readonly types?: readonly string[] | undefined;
}

/** The events of a store in its log's order, from the first on. What cannot be read is a dead letter, and passed over. */
export function fromStore(store: EventStore, { types }: StoreSourceOptions = {}): StoreSource {
  return { kind: 'store', store, types };
}

type Subscribe = (
  selector: string,
  handler: (event: Event) => unknown,
) => { readonly unsubscribe: Undo };

/** The events of a bus, of the type or the pattern. While the stream is behind, the publisher's reports wait. */
export function fromBus(bus: { readonly subscribe: Subscribe }, selector: string = '#'): LiveSource {
  return { kind: 'live', listen: (take) => bus.subscribe(selector, take).unsubscribe };
}

/** The events of topics that match the pattern. While the stream is behind, they wait in the subscriber's own queue. */
export function fromTopic(topics: { readonly subscribe: Subscribe }, pattern: string): LiveSource {
  return { kind: 'live', listen: (take) => topics.subscribe(pattern, take).unsubscribe };
}
