/** The log of a real site, out of order by up to a minute, against independent recounts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../src/event/event.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { hostPorts } from '../../src/ports.ts';
import { EventStore } from '../../src/storage/event-store/event-store.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { distinct } from '../../src/windows/aggregations/distinct.ts';
import { toDocuments } from '../../src/windows/streams/outputs.ts';
import { fromStore } from '../../src/windows/streams/sources.ts';
import { stream, type KeyedFlow, type ResultFlow } from '../../src/windows/streams/stream.ts';
import { visits } from '../../src/windows/streams/visits.ts';
import { hopping, session, tumbling } from '../../src/windows/windows.ts';
import { sampleRequests } from '../bench/sample-requests.ts';
import { inOrder, keptIn, type Kept } from './windows-stream-world.ts';

/** Beside the project, and no part of it: without it, requests from a seed stand in, disordered as the real ones are. */
const FILE = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'web-access.ndjson.gz');
const isReal = existsSync(FILE);
const origin = isReal ? 'the log of a real site' : 'requests from a seed, for the real log is not here';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let events: readonly Event[];

beforeAll(() => {
  events = isReal
    ? gunzipSync(readFileSync(FILE)).toString().trim().split('\n').map(decodeLine)
    : sampleRequests(10_000)
        .map((event, i) => ({ event, key: event.timestamp + ((i * 7919) % 60) * 1000 }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ event }) => event);
});

/** What is kept in the end, where the log comes in parts and the process starts anew between them. */
async function keptOf(
  key: 'type' | 'source' | 'correlationId',
  windows: (keyed: KeyedFlow) => ResultFlow<unknown>,
): Promise<Kept> {
  const store = new EventStore(openMemory());
  const open = () =>
    windows(stream(fromStore(store)).keyBy(key))
      .output(toDocuments('kept'))
      .open({ name: 'requests', ports: hostPorts, watermark: { outOfOrderMs: 10_000 } });
  for (let from = 0; from < events.length; from += 2_500) {
    await store.append(events.slice(from, from + 2_500));
    await open().catchUp();
  }
  const run = open();
  await run.catchUp();
  await run.finish();
  expect(run.counts).toEqual({ events: events.length, late: 0, deadLetters: 0 });
  expect(run.size).toEqual({ keys: 0, rows: 0 });
  return keptIn(store, 'kept/');
}

describe(`windows over ${origin}`, () => {
  it('has the hourly counts by type of a recount', async () => {
    const kept = await keptOf('type', (keyed) => keyed.window(tumbling(HOUR)).aggregate(count()));
    const counts = new Map<string, number>();
    for (const { timestamp, type } of events) {
      const place = `${Math.floor(timestamp / HOUR) * HOUR} ${type}`;
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    const expected = [...counts].map(([place, n]) => {
      const [start, type] = place.split(' ');
      return [Number(start), type!, n] as const;
    });
    expect(kept).toEqual(inOrder(expected));
  });

  it('has the distinct visitors of each five minutes, every minute anew', async () => {
    const visitors = await keptOf('source', (keyed) =>
      keyed
        .window(hopping(5 * MINUTE, MINUTE))
        .aggregate(distinct(({ correlationId }) => correlationId, { precision: 16 })),
    );
    const sets = new Map<number, Set<string>>();
    for (const { timestamp, correlationId } of events) {
      const last = Math.floor(timestamp / MINUTE) * MINUTE;
      for (let start = last - 4 * MINUTE; start <= last; start += MINUTE) {
        if (!sets.has(start)) sets.set(start, new Set());
        sets.get(start)!.add(correlationId!);
      }
    }
    // Up to 4,096 of them are counted exactly.
    const expected = [...sets].map(([start, set]) => [start, events[0]!.source, set.size] as const);
    expect(visitors).toEqual(inOrder(expected));
  });

  it('has the sessions of each visitor, with half an hour between them', async () => {
    const gap = 30 * MINUTE;
    const kept = await keptOf('correlationId', (keyed) =>
      keyed.window(session(gap)).aggregate(visits()),
    );
    const byVisitor = new Map<string, Event[]>();
    for (const event of events) {
      const own = byVisitor.get(event.correlationId!) ?? [];
      own.push(event);
      byVisitor.set(event.correlationId!, own);
    }
    const expected: [number, string, unknown][] = [];
    for (const [visitor, own] of byVisitor) {
      own.sort((a, b) => a.timestamp - b.timestamp || (a.id < b.id ? -1 : 1));
      for (let from = 0, to = 1; from < own.length; from = to++) {
        while (to < own.length && own[to]!.timestamp - own[to - 1]!.timestamp < gap) to++;
        expected.push([own[from]!.timestamp, visitor, visitOf(own.slice(from, to))]);
      }
    }
    expect(kept.length).toBe(expected.length);
    expect(kept).toEqual(inOrder(expected));
  });
});

function visitOf(own: readonly Event[]): unknown {
  const pages = own
    .filter(({ type }) => type === 'page.viewed')
    .map(({ data }) => (data as { readonly path: string }).path);
  return {
    entry: pages[0] ?? null,
    exit: pages.at(-1) ?? null,
    durationMs: own.at(-1)!.timestamp - own[0]!.timestamp,
    pages: pages.length,
    events: own.length,
    bounce: pages.length < 2,
  };
}
