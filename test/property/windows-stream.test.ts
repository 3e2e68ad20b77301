/** Joins, funnels and visits against plain recounts: any order, any lateness, any commits, pages and restarts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event/event.ts';
import type { EventStore } from '../../src/storage/event-store/event-store.ts';
import { fromStore } from '../../src/windows/streams/sources.ts';
import { stream, type EventFlow } from '../../src/windows/streams/stream.ts';
import { visits } from '../../src/windows/streams/visits.ts';
import { session, tumbling } from '../../src/windows/windows.ts';
import {
  documentsAfter,
  inOrder,
  MINUTE,
  placed,
  recountWindows,
  visitCommits,
} from './windows-stream-world.ts';

const SIZE = 10 * MINUTE;
const page = fc.integer({ min: 1, max: 40 });
type Numbered = Event<string, { readonly n: number }>;

const numbers = (events: readonly Event[], type: string): number[] =>
  events.filter((one) => one.type === type).map((one) => (one as Numbered).data.n);

describe('a join', () => {
  const ofType = (store: EventStore, type: string): EventFlow<Numbered> =>
    stream<Numbered>(fromStore(store, { types: [type] })).map(
      (event) => ({ ...event, data: event.data.n }) as never,
    );
  const joined = (store: EventStore, kind: 'inner' | 'left', limit: number) =>
    ofType(store, 'product.added')
      .keyBy('correlationId')
      .join(ofType(store, 'order.placed').keyBy('correlationId'), { kind, limit })
      .window(tumbling(SIZE));

  it('has each pair of a key and window, an inner as a left one', async () => {
    await fc.assert(
      fc.asyncProperty(
        visitCommits,
        page,
        fc.constantFrom('inner', 'left'),
        async (all, pages, kind) => {
          const limit = 3;
          const got = await documentsAfter(all, pages, (store) => joined(store, kind, limit));
          const sides = placed(all).filter(({ type }) => type !== 'page.viewed');
          const expected = recountWindows(sides, SIZE, (events) => {
            const left = numbers(events, 'product.added');
            const right = numbers(events, 'order.placed');
            const pairs: unknown[] = [];
            for (const own of left.slice(0, limit)) {
              for (const other of right.slice(0, limit)) pairs.push({ left: own, right: other });
              if (right.length === 0 && kind === 'left') pairs.push({ left: own, right: null });
            }
            const cut = (all: readonly number[]): number => Math.max(0, all.length - limit);
            return { pairs, cut: { left: cut(left), right: cut(right) } };
          });
          expect(got).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a funnel', () => {
  const withinMs = 4 * MINUTE;
  const steps = [
    { name: 'looked', when: 'page.viewed' },
    // Two events take the two steps, though each fits both.
    { name: 'came back', when: 'page.viewed' },
    { name: 'added', when: (event: Event) => event.type === 'product.added' },
    { name: 'bought', when: 'order.placed' },
  ];
  const fits = (event: Event, step: number): boolean => {
    const { when } = steps[step]!;
    return typeof when === 'string' ? event.type === when : when(event);
  };

  /** By trying every way. */
  const farthest = (events: readonly Event[], step: number, started: number | undefined): number => {
    let reached = step;
    for (const [i, event] of events.entries()) {
      const start = started ?? event.timestamp;
      if (step < steps.length && fits(event, step) && event.timestamp - start <= withinMs)
        reached = Math.max(reached, farthest(events.slice(i + 1), step + 1, start));
    }
    return reached;
  };

  it('counts the visitors of a window by the steps that they have come', async () => {
    await fc.assert(
      fc.asyncProperty(visitCommits, page, async (all, pages) => {
        const got = await documentsAfter(all, pages, (store) =>
          stream(fromStore(store))
            .keyBy('correlationId')
            .window(tumbling(SIZE))
            .funnel({ steps, withinMs }),
        );
        const progress = recountWindows(placed(all), SIZE, (events) => farthest(events, 0, undefined));
        const expected = [...Map.groupBy(progress, ([start]) => start)].map(([start, visitors]) => {
          const counts = steps.map(
            (_, i) => visitors.filter(([, , reached]) => (reached as number) > i).length,
          );
          const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
          const told = steps.map(({ name }, i) => ({
            name,
            visitors: counts[i]!,
            ofPrevious: i === 0 ? 1 : share(counts[i]!, counts[i - 1]!),
            ofFirst: share(counts[i]!, counts[0]!),
          }));
          return [start, '', { steps: told, conversion: share(counts[3]!, counts[0]!) }] as const;
        });
        expect(got).toEqual(inOrder(expected));
      }),
      { numRuns: 150 },
    );
  });
});

describe('visits', () => {
  const GAP = 5 * MINUTE;

  it('tell entry, exit, duration, pages and bounces of each session', async () => {
    await fc.assert(
      fc.asyncProperty(visitCommits, page, async (all, pages) => {
        const got = await documentsAfter(all, pages, (store) =>
          stream(fromStore(store)).keyBy('correlationId').window(session(GAP)).aggregate(visits()),
        );
        const sessions: Event[][] = [];
        for (const own of Map.groupBy(placed(all), ({ correlationId }) => correlationId).values()) {
          let last = -Infinity;
          for (const event of own) {
            if (event.timestamp - last >= GAP) sessions.push([]);
            sessions.at(-1)!.push(event);
            last = event.timestamp;
          }
        }
        const expected = sessions.map((events) => {
          const shown = events
            .filter(({ type }) => type === 'page.viewed')
            .map(({ data }) => (data as { readonly path: string | null }).path)
            .filter((path) => path !== null);
          const start = events[0]!.timestamp;
          const visit = {
            entry: shown[0] ?? null,
            exit: shown.at(-1) ?? null,
            durationMs: events.at(-1)!.timestamp - start,
            pages: shown.length,
            events: events.length,
            bounce: shown.length < 2,
          };
          return [start, events[0]!.correlationId!, visit] as const;
        });
        expect(got).toEqual(inOrder(expected));
      }),
      { numRuns: 150 },
    );
  });
});
