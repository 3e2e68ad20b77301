/** Events for the laws: of a small shop, made from a seed, so that a broken law breaks the same way again. */
import { makeEvent, type Event } from '../../event/event.ts';
import { createIds } from '../../event/ids.ts';
import type { Priority } from '../../event/priority.ts';
import { toWire } from '../../event/wire.ts';
import type { Commit, CommitResult, Page, Query, Storage } from '../storage.ts';
import type { StoredEvent } from '../stored-event.ts';
import { assertEqual } from './law.ts';

const TYPES = ['page.viewed', 'product.added', 'order.placed'] as const;

/** A source of sample events; `seed` decides all of them. */
export class Sample {
  readonly random: () => number;
  readonly #nextId: () => string;
  #now = 1_700_000_000_000;
  #made = 0;

  constructor(seed: number) {
    this.random = mulberry32(seed);
    const fillRandom = (bytes: Uint8Array): void => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = this.random() * 256;
    };
    this.#nextId = createIds({ now: () => this.#now, fillRandom });
  }

  event(given: Partial<Event> = {}): Event {
    const n = ++this.#made;
    this.#now += Math.floor(this.random() * 40);
    return makeEvent({
      id: this.#nextId(),
      type: TYPES[n % TYPES.length]!,
      data: { n, text: `größe "${n}"\n`, nested: { list: [n, null, true] } },
      timestamp: this.#now - Math.floor(this.random() * 60_000),
      source: 'shop',
      priority: ((n % 4) + 1) as Priority,
      correlationId: n % 5 === 0 ? undefined : `visitor-${n % 7}`,
      causationId: undefined,
      subject: n % 3 === 0 ? `cart-${n % 4}` : undefined,
      ...given,
    });
  }

  events(count: number, given: Partial<Event> = {}): readonly Event[] {
    return Array.from({ length: count }, () => this.event(given));
  }

  /** A whole number from 0 up to, but without, `below`. */
  below(below: number): number {
    return Math.floor(this.random() * below);
  }
}

/** Commits one commit, which must be accepted. */
export async function commit(
  storage: Storage,
  given: Commit,
): Promise<CommitResult & { readonly ok: true }> {
  const result = await commitAny(storage, given);
  if (!result.ok) throw result.error;
  return result;
}

/** Commits one commit, whatever comes of it. */
export async function commitAny(storage: Storage, given: Commit): Promise<CommitResult> {
  const results = await storage.commit([given]);
  assertEqual(results.length, 1, 'a commit gives one result');
  return results[0]!;
}

/** All that a query selects, page after page. */
export async function readAll(storage: Storage, query: Query = {}): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  const backward = query.direction === 'backward';
  let bound = {};
  for (;;) {
    const page: Page = await storage.read({ ...query, ...bound });
    events.push(...page.events);
    if (!page.more) return events;
    bound = backward ? { before: page.next } : { after: page.next };
  }
}

/** What a stored event says, in a form that can be compared. */
export function shown(events: readonly StoredEvent[]): unknown {
  return events.map(({ position, event }) => [position, toWire(event)]);
}

/** The same for events that should stand from `first` on. */
export function shownAt(first: number, events: readonly Event[]): unknown {
  return events.map((event, i) => [first + i, toWire(event)]);
}

/** A small generator of good quality for tests (mulberry32, Tommy Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
