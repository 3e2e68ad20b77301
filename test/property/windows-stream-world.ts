/** A shop's visitors, and what plain recounts of them give. */
import fc from 'fast-check';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { hostPorts } from '../../src/ports.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { ResultFlow } from '../../src/windows/streams/stream.ts';
import { toDocuments } from '../../src/windows/streams/outputs.ts';

export const BASE = 1_700_000_040_000;
export const MINUTE = 60_000;
const STEPS = ['page.viewed', 'product.added', 'order.placed'];

export const streamPorts = { ...hostPorts, now: () => BASE + 40 * 24 * 60 * MINUTE };

const minutes = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 12 }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: -30 * 24 * 60, max: 30 * 24 * 60 }) },
);

const visit = fc.record({
  id: fc.integer({ min: 0, max: 400 }),
  type: fc.constantFrom(...STEPS),
  visitor: fc.oneof(
    { weight: 3, arbitrary: fc.constant('ada') },
    { weight: 1, arbitrary: fc.constantFrom('bob', 'x/%') },
  ),
  minute: minutes,
  page: fc.constantFrom('/', '/cart', null),
});

/** Commits of events in any order, some of them again; one id always with one content. */
export const visitCommits = fc
  .array(fc.array(visit, { maxLength: 25, size: 'max' }), { maxLength: 5, size: 'max' })
  .map((batches) => {
    const first = new Map<number, Event>();
    return batches.map((batch) =>
      batch.map((one) => first.get(one.id) ?? first.set(one.id, eventOf(one)).get(one.id)!),
    );
  });

function eventOf(one: {
  readonly id: number;
  readonly type: string;
  readonly visitor: string;
  readonly minute: number;
  readonly page: string | null;
}): Event {
  return makeEvent({
    id: `e-${one.id}`,
    type: one.type,
    data: { n: one.id, path: one.page },
    timestamp: BASE + one.minute * MINUTE,
    source: 'page',
    priority: 2,
    correlationId: one.visitor,
  });
}

/** Each event once, by its place: time, then id. */
export function placed(batches: readonly (readonly Event[])[]): Event[] {
  const all = new Map(batches.flat().map((one) => [one.id, one]));
  return [...all.values()].toSorted(
    (a, b) => a.timestamp - b.timestamp || (a.id < b.id ? -1 : Number(a.id > b.id)),
  );
}

export type Kept = readonly (readonly [start: number, key: string, value: unknown])[];

/** What a stream's documents hold in the end, whatever its commits and its pages are. */
export async function documentsAfter(
  batches: readonly (readonly Event[])[],
  batchEvents: number,
  flow: (store: EventStore) => ResultFlow<unknown>,
): Promise<Kept> {
  const store = new EventStore(openMemory());
  const open = () =>
    flow(store).output(toDocuments('kept')).open({ name: 'visits', ports: streamPorts, batchEvents });
  let run = open();
  for (const [i, events] of batches.entries()) {
    if (events.length > 0) await store.append(events);
    await run.catchUp();
    if (i % 2 === 1) run = open();
  }
  await run.finish();
  return keptIn(store, 'kept/');
}

interface Document {
  readonly window: { readonly start: number };
  readonly key: string;
  readonly value: unknown;
}

export async function keptIn(store: EventStore, prefix: string): Promise<Kept> {
  const entries = await store.storage.list(prefix, { limit: 10_000 });
  const documents = entries.map(([, value]) => value as unknown as Document);
  return inOrder(documents.map(({ window, key, value }) => [window.start, key, value]));
}

export function inOrder(kept: Kept): Kept {
  return kept.toSorted(([start, key], [other, otherKey]) =>
    start === other ? (key < otherKey ? -1 : 1) : start - other,
  );
}

/** Groups the events by window and visitor: for each a value. */
export function recountWindows(
  events: readonly Event[],
  sizeMs: number,
  valueOf: (events: readonly Event[]) => unknown,
): Kept {
  const startOf = ({ timestamp }: Event): number => Math.floor(timestamp / sizeMs) * sizeMs;
  const windows = [...Map.groupBy(events, startOf)];
  return inOrder(
    windows.flatMap(([start, all]) =>
      [...Map.groupBy(all, ({ correlationId }) => correlationId!)].map(
        ([visitor, own]) => [start, visitor, valueOf(own)] as const,
      ),
    ),
  );
}
