/**
 * A stream with a window of every kind, what a plain recount of all its events gives, and what a reader holds who keeps
 * the latest of what was handed on.
 */
import fc from 'fast-check';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { aggregate } from '../../src/windows/aggregations/aggregate.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { max } from '../../src/windows/aggregations/extremes.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import type { StreamWindow, WindowOperatorOptions } from '../../src/windows/operator-options.ts';
import type { WindowUpdate } from '../../src/windows/window-update.ts';
import {
  countWindow,
  days,
  globalWindow,
  hopping,
  session,
  tumbling,
  type WindowKind,
} from '../../src/windows/windows.ts';

/** Shortly before the clocks of Berlin are set forward. */
export const BASE = Date.parse('2026-03-29T00:30:00Z');
const DAY_MS = 86_400_000;
const OUT_OF_ORDER_MS = 5_000;

const sales = aggregate({ count: count(), total: sum('value'), most: max('value') });

export const timeKinds: Readonly<Record<string, WindowKind>> = {
  tumbling: tumbling(60_000),
  shifted: tumbling(90_000, { offsetMs: 30_001 }),
  hopping: hopping(60_000, 10_000),
  uneven: hopping(50_000, 20_000, { offsetMs: -3_000 }),
  awkward: hopping(60_000, 17_001, { offsetMs: 5 }),
  days: days('Europe/Berlin'),
  session: session(30_000),
};
export const allKinds: Readonly<Record<string, WindowKind>> = {
  ...timeKinds,
  global: globalWindow(),
  counted: countWindow(5, 2),
};

export function windowsOf(
  kinds: Readonly<Record<string, WindowKind>>,
  options: Partial<StreamWindow> = {},
): StreamWindow[] {
  return Object.entries(kinds).map(([name, windows]) => ({
    name,
    windows,
    aggregation: sales,
    ...options,
  }));
}

export const options: Omit<WindowOperatorOptions, 'windows'> = {
  key: (event) => event.subject ?? '',
  watermark: { outOfOrderMs: OUT_OF_ORDER_MS },
  ports: { now: () => BASE + 100 * DAY_MS },
};

const time = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -120_000, max: 240_000 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: -30 * 24 * 3600, max: 0 }).map((seconds) => seconds * 1000),
  },
  { weight: 1, arbitrary: fc.integer({ min: -30, max: 30 }).map((n) => n * DAY_MS) },
);
const data = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map((value) => ({ value })),
  fc.double({ noNaN: true, min: -1e300, max: 1e300 }).map((value) => ({ value })),
  fc.constantFrom(0.1, 0.2, 1e300, -1e300, 1e-300).map((value) => ({ value })),
  fc.constantFrom(null, {}, { value: null }),
);
const keys = ['ada', 'bob', '', '__proto__', 'ü/%', 'x'.repeat(310)];

const event = fc
  .record({
    id: fc.integer({ min: 0, max: 300 }),
    key: fc.constantFrom(...keys),
    at: time,
    data,
    source: fc.constantFrom('page', 'phone', 'till'),
  })
  .map(({ id, key, at, data, source }) =>
    makeEvent({
      id: `e-${id}`,
      type: 'order.placed',
      data,
      timestamp: BASE + at,
      source,
      priority: 2,
      subject: key === '' ? undefined : key,
    }),
  );

/** Commits of events in any order, some of them again; one id always with one content. */
export const commits = fc.array(fc.array(event, { maxLength: 30 }), { maxLength: 8 }).map((batches) => {
  const first = new Map<string, Event>();
  return batches.map((batch) => batch.map((one) => first.get(one.id) ?? (first.set(one.id, one), one)));
});

/** Each event once, in the order in which they came. */
export function distinct(batches: readonly (readonly Event[])[]): Event[] {
  return [...new Map(batches.flat().map((one) => [one.id, one])).values()];
}

/** One line a result: what is compared, byte for byte. */
export type Lines = readonly string[];

function line(name: string, start: number, end: number, key: string, value: unknown, revision: number) {
  return JSON.stringify([name, start, end, key.replace(/x{300}/, '…'), value, revision]);
}

/** The latest of each window and key, less what was taken back. */
export class Reader {
  readonly #held = new Map<string, WindowUpdate>();

  take(updates: readonly WindowUpdate[]): void {
    for (const update of updates) {
      const place = JSON.stringify([update.name, update.window, update.key]);
      const held = this.#held.get(place);
      if (held !== undefined && held.revision > update.revision)
        throw new Error(`revision ${update.revision} of ${place} comes after ${held.revision}`);
      if (update.removed === true && held === undefined) throw new Error(`${place} was never handed on`);
      if (update.removed === true) this.#held.delete(place);
      else this.#held.set(place, update);
    }
  }

  lines({ complete = false } = {}): Lines {
    return [...this.#held.values()]
      .filter((held) => !complete || held.complete)
      .map(({ name, window, key, value, revision }) =>
        line(name, window.start, window.end, key, value, revision),
      )
      .toSorted();
  }
}

/** All results from all events at once. */
export function recount(kinds: Readonly<Record<string, WindowKind>>, events: readonly Event[]): Lines {
  const lines: string[] = [];
  for (const [name, kind] of Object.entries(kinds)) {
    for (const [key, own] of Map.groupBy(events, ({ subject = '' }) => subject)) {
      for (const [start, end, members] of windowsIn(kind, own)) {
        lines.push(line(name, start, end, key, valueOf(members), members.length));
      }
    }
  }
  return lines.toSorted();
}

/** As `recount`, event by event with the watermark as it was: which windows have refused which event, and what is left. */
export function recountWithin(
  kinds: Readonly<Record<string, WindowKind>>,
  events: readonly Event[],
  latenessMs: number,
): { readonly lines: Lines; readonly late: Lines } {
  const latest = new Map<string, number>();
  let watermark = -Infinity;
  const seen = events.map((one) => {
    const met = { one, watermark };
    latest.set(one.source, Math.max(latest.get(one.source) ?? -Infinity, one.timestamp));
    watermark = Math.max(watermark, Math.min(...latest.values()) - OUT_OF_ORDER_MS);
    return met;
  });
  const lines: string[] = [];
  const late: string[] = [];
  for (const [name, kind] of Object.entries(kinds)) {
    const ends = new Map(
      seen.map(({ one }) => [one, Math.max(...windowsIn(kind, [one]).map(([, end]) => end))]),
    );
    for (const { one, watermark } of seen)
      if (ends.get(one)! + latenessMs <= watermark) late.push(`${name} ${one.id} ${watermark}`);
    const met = new Map(seen.map(({ one, watermark }) => [one, watermark]));
    for (const [key, own] of Map.groupBy(events, ({ subject = '' }) => subject)) {
      for (const [start, end, all] of windowsIn(kind, own)) {
        const members = all.filter((one) => end + latenessMs > met.get(one)!);
        if (members.length > 0)
          lines.push(line(name, start, end, key, valueOf(members), members.length));
      }
    }
  }
  return { lines: lines.toSorted(), late: late.toSorted() };
}

function valueOf(events: readonly Event[]): unknown {
  return sales.result(events.reduce((sum, one) => sales.add(sum, one), sales.initial()));
}

type Counted = readonly [start: number, end: number, events: readonly Event[]];

function windowsIn(kind: WindowKind, events: readonly Event[]): readonly Counted[] {
  switch (kind.kind) {
    case 'tumbling':
    case 'hopping': {
      const { sizeMs, offsetMs = 0 } = kind;
      const slideMs = kind.kind === 'hopping' ? kind.slideMs : sizeMs;
      return grouped(events, ({ timestamp }) => {
        const starts: number[] = [];
        const last = Math.floor((timestamp - offsetMs) / slideMs) * slideMs + offsetMs;
        for (let start = last; start > timestamp - sizeMs; start -= slideMs) starts.push(start);
        return starts.map((start) => [start, start + sizeMs]);
      });
    }
    case 'days':
      return grouped(events, ({ timestamp }) => [dayAround(timestamp, kind.timeZone)]);
    case 'session':
      return sessionsIn(events, kind.gapMs);
    case 'count': {
      const { size, slide = size } = kind;
      const starts = Array.from({ length: events.length }, (_, i) => i * slide);
      const full = starts.filter((start) => start + size <= events.length);
      return full.map((start) => [start, start + size, events.slice(start, start + size)]);
    }
    default:
      return [[-62_167_219_200_000, 300_000_000_000_000, events]];
  }
}

function grouped(
  events: readonly Event[],
  windows: (event: Event) => readonly (readonly [start: number, end: number])[],
): Counted[] {
  const groups = new Map<string, [number, number, Event[]]>();
  for (const one of events) {
    for (const [start, end] of windows(one)) {
      const place = `${start} ${end}`;
      const group = groups.get(place) ?? groups.set(place, [start, end, []]).get(place)!;
      group[2].push(one);
    }
  }
  return [...groups.values()];
}

function sessionsIn(events: readonly Event[], gapMs: number): Counted[] {
  const sessions: [number, number, Event[]][] = [];
  for (const one of events.toSorted((a, b) => a.timestamp - b.timestamp)) {
    const last = sessions.at(-1);
    if (last === undefined || one.timestamp >= last[1])
      sessions.push([one.timestamp, one.timestamp + gapMs, [one]]);
    else {
      last[1] = one.timestamp + gapMs;
      last[2].push(one);
    }
  }
  return sessions;
}

const QUARTER_MS = 900_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** By looking at every quarter of an hour around. */
function dayAround(timestamp: number, timeZone: string): readonly [start: number, end: number] {
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat('en-CA', { timeZone });
  formats.set(timeZone, format);
  const dateOf = (at: number): string => format.format(at);
  const date = dateOf(timestamp);
  let start = Math.floor(timestamp / QUARTER_MS) * QUARTER_MS;
  let end = start + QUARTER_MS;
  while (dateOf(start - 1) === date) start -= QUARTER_MS;
  while (dateOf(end) === date) end += QUARTER_MS;
  return [start, end];
}
