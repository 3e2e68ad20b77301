import { describe, expect, it } from 'vitest';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { aggregate } from '../../src/windows/aggregations/aggregate.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import type { StreamWindow, WindowOperatorOptions } from '../../src/windows/operator-options.ts';
import { WindowOperator } from '../../src/windows/window-operator.ts';
import type { Processed, WindowUpdate } from '../../src/windows/window-update.ts';
import { WindowedLog } from '../../src/windows/windowed-log.ts';
import {
  countWindow,
  days,
  globalWindow,
  hopping,
  session,
  tumbling,
  type WindowKind,
} from '../../src/windows/windows.ts';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let made = 0;
function order(at: number, fields: Partial<Event> = {}): Event {
  const id = `e-${made++}`;
  const event = { id, type: 'order.placed', data: { total: 1 }, timestamp: at, source: 'page' };
  return makeEvent({ ...event, priority: 2, ...fields });
}

class World {
  /** Ahead of all that is sound. */
  now = NOW + 86_400_000;
  readonly operator: WindowOperator;

  constructor(
    windows: WindowKind | readonly StreamWindow[],
    options: Partial<WindowOperatorOptions> = {},
  ) {
    const all = 'kind' in windows ? [{ name: 'w', windows, aggregation: count() }] : windows;
    const ports = { now: () => this.now };
    const watermark = { outOfOrderMs: 0 };
    this.operator = new WindowOperator({ windows: all, watermark, ports, ...options });
  }

  take(...events: readonly Event[]): string[] {
    return this.step(this.operator.process(events)).updates.map(shown);
  }

  step(step: Processed | Promise<Processed>): Processed {
    if (step instanceof Promise) throw new Error('the answer should be at hand');
    return step;
  }
}

/** `[start,end) key value@revision`, with `!` where it is complete and `-value` where it takes one back. */
function shown({ window, key, value, revision, complete, retract, removed }: WindowUpdate): string {
  const place = `[${(window.start - NOW) / SECOND},${(window.end - NOW) / SECOND})${key}`;
  const before = retract === undefined ? '' : ` -${JSON.stringify(retract)}`;
  const what = removed === true ? 'removed' : JSON.stringify(value);
  return `${place} ${what}@${revision}${complete ? '!' : ''}${before}`;
}

const at = (seconds: number, fields?: Partial<Event>): Event => order(NOW + seconds * SECOND, fields);

describe('the watermark', () => {
  it('completes a window when every source is past its end, and not before', () => {
    const world = new World(tumbling(MINUTE));
    expect(world.take(at(0), at(1, { source: 'till' }))).toEqual([]);
    expect(world.take(at(60))).toEqual([]);
    expect(world.take(at(60, { source: 'till' }))).toEqual(['[0,60) 2@2!']);
  });

  it('waits for the disorder that is expected', () => {
    const world = new World(tumbling(MINUTE), { watermark: { outOfOrderMs: 5 * SECOND } });
    expect(world.take(at(0), at(64.999))).toEqual([]);
    expect(world.take(at(65))).toEqual(['[0,60) 1@1!']);
  });

  it('waits for a silent source no longer than it is told to, and goes by it again when it is back', () => {
    const world = new World(tumbling(MINUTE), { watermark: { outOfOrderMs: 0, idleMs: 10 * SECOND } });
    world.take(at(0), at(0, { source: 'till' }));
    world.now += 9 * SECOND;
    expect(world.take(at(60))).toEqual([]);
    world.now += SECOND;
    expect(world.step(world.operator.tick()).updates.map(shown)).toEqual(['[0,60) 2@2!']);
    expect(world.take(at(61, { source: 'till' }), at(120))).toEqual([]);
    expect(world.take(at(120, { source: 'till' }))).toEqual(['[60,120) 2@2!']);
  });

  it('stays at the furthest source when all are silent', () => {
    const world = new World(tumbling(MINUTE), { watermark: { outOfOrderMs: 0, idleMs: SECOND } });
    world.take(at(1, { source: 'till' }), at(0), at(60));
    world.now += SECOND;
    expect(world.step(world.operator.tick()).updates.map(shown)).toEqual(['[0,60) 2@2!']);
    expect(world.operator.watermark).toBe(NOW + MINUTE);
  });

  it.each([86_400_000, 30 * 365 * 86_400_000])('is not moved by a clock %d ms ahead', (aheadMs) => {
    const world = new World(tumbling(MINUTE), {
      watermark: { outOfOrderMs: 0, maxAheadMs: 5 * SECOND },
    });
    const wrong = { source: 'wrong' };
    world.now = NOW;
    expect(world.take(at(0), order(world.now + aheadMs, wrong))).toEqual([]);
    expect(world.operator.watermark).toBe(NOW);
    expect(world.take(at(3), order(world.now + aheadMs, wrong), at(4))).toEqual([]);
    expect(world.operator.watermark).toBe(NOW + 4 * SECOND);
    expect(world.take(at(30))).toEqual([]);
    expect(world.operator.watermark).toBe(NOW + 5 * SECOND);
    // Alone, it goes as far as the host's clock allows.
    const alone = new World(tumbling(MINUTE), {
      watermark: { outOfOrderMs: 0, maxAheadMs: 5 * SECOND },
    });
    alone.now = NOW;
    expect(alone.take(order(alone.now + aheadMs, wrong))).toEqual([]);
    expect(alone.operator.watermark).toBe(NOW + 5 * SECOND);
  });

  it('is restored as it was, sources and all', async () => {
    const storage = openMemory();
    const windows = [{ name: 'w', windows: tumbling(MINUTE), aggregation: count() }];
    const ports = { now: () => NOW + 86_400_000 };
    const watermark = { outOfOrderMs: 0 };
    const updates: string[] = [];
    const open = (): WindowedLog =>
      new WindowedLog(
        storage,
        { windows, ports, watermark },
        { onCommitted: (done) => void updates.push(...done.updates.map(shown)) },
      );
    await storage.commit([{ events: [at(10, { source: 'till' }), at(0), at(30)] }]);
    await open().catchUp();
    const log = open();
    await storage.commit([{ events: [at(59)] }]);
    await log.catchUp();
    expect(log.operator.watermark).toBe(NOW + 10 * SECOND);
    await storage.commit([{ events: [at(60), at(60, { source: 'till' })] }]);
    await log.catchUp();
    expect(updates).toEqual(['[0,60) 4@4!']);
    expect(log.operator.counts.events).toBe(6);
  });
});

const early = (trigger: StreamWindow['trigger'], results?: StreamWindow['results']) =>
  new World([{ name: 'w', windows: tumbling(MINUTE), aggregation: sum('total'), trigger, results }]);

describe('a trigger', () => {
  it('on change hands each batch on', () => {
    const world = early({ on: 'change' });
    expect(world.take(at(0), at(1))).toEqual(['[0,60) 2@2']);
    expect(world.take(at(2))).toEqual(['[0,60) 3@3']);
    expect(world.take(at(60))).toEqual(['[0,60) 3@3!', '[60,120) 1@1']);
  });

  it('on count waits for so many', () => {
    const world = early({ on: 'count', every: 3 });
    expect(world.take(at(0), at(1))).toEqual([]);
    expect(world.take(at(2), at(3))).toEqual(['[0,60) 4@4']);
    expect(world.take(at(4), at(5))).toEqual([]);
    expect(world.take(at(6))).toEqual(['[0,60) 7@7']);
  });

  it('at an interval asks the host, with a batch or without one', () => {
    const world = early({ on: 'interval', everyMs: 10 * SECOND });
    expect(world.take(at(0))).toEqual(['[0,60) 1@1']);
    expect(world.take(at(1))).toEqual([]);
    world.now += 10 * SECOND;
    expect(world.step(world.operator.tick()).updates.map(shown)).toEqual(['[0,60) 2@2']);
    world.now += 10 * SECOND;
    expect(world.step(world.operator.tick()).updates).toEqual([]);
  });

  it('of deltas says what each result takes the place of', () => {
    const world = early({ on: 'change' }, 'deltas');
    expect(world.take(at(0), at(1))).toEqual(['[0,60) 2@2']);
    expect(world.take(at(2))).toEqual(['[0,60) 3@3 -2']);
    expect(world.take(at(60))).toEqual(['[0,60) 3@3! -3', '[60,120) 1@1']);
  });
});

describe('a late event', () => {
  const windows = (allowedLatenessMs?: number): StreamWindow[] => [
    { name: 'w', windows: tumbling(MINUTE), aggregation: count(), allowedLatenessMs },
  ];

  it('revises its window within the allowed lateness, and goes to the side and is counted beyond', () => {
    const world = new World(windows(30 * SECOND));
    expect(world.take(at(0), at(60))).toEqual(['[0,60) 1@1!']);
    expect(world.take(at(1))).toEqual(['[0,60) 2@2!']);
    expect(world.take(at(89.999))).toEqual([]);
    expect(world.take(at(2))).toEqual(['[0,60) 3@3!']);
    world.take(at(90));
    const late = at(3);
    const step = world.step(world.operator.process([late]));
    expect(step).toEqual({
      updates: [],
      late: [{ event: late, name: 'w', watermark: NOW + 90_000 }],
      deadLetters: [],
    });
    expect(world.operator.counts).toEqual({ events: 7, late: 1, deadLetters: 0 });
  });

  it('revises a window that lives in the storage, however old it is', async () => {
    const storage = openMemory();
    const updates: string[] = [];
    const log = new WindowedLog(
      storage,
      { windows: windows(), watermark: { outOfOrderMs: 0 }, ports: { now: () => NOW + 86_400_000 } },
      { onCommitted: (done) => void updates.push(...done.updates.map(shown)) },
    );
    const old = -30 * 86_400;
    await storage.commit([{ events: [at(old), at(0)] }]);
    await log.catchUp();
    expect(log.operator.size).toEqual({ keys: 1, rows: 1 });
    await storage.commit([{ events: [at(old + 1)] }]);
    await log.catchUp();
    expect(updates).toEqual([`[${old},${old + 60}) 1@1!`, `[${old},${old + 60}) 2@2!`]);
    expect(log.operator.size).toEqual({ keys: 1, rows: 1 });
  });

  it('joins two sessions that were handed on, and takes both back', () => {
    const world = new World([
      {
        name: 'w',
        windows: session(10 * SECOND),
        aggregation: count(),
        allowedLatenessMs: 10 * MINUTE,
        results: 'deltas',
      },
    ]);
    expect(world.take(at(0), at(15), at(40))).toEqual(['[0,10) 1@1!', '[15,25) 1@1!']);
    expect(world.take(at(7))).toEqual(['[0,25) 3@3!', '[0,10) removed@3! -1', '[15,25) removed@3! -1']);
    expect(world.take(at(60))).toEqual(['[40,50) 1@1!']);
  });
});

describe('windows', () => {
  it('of days have 23 and 25 hours where the clocks are changed', () => {
    const world = new World(days('Europe/Berlin'));
    const noon = ['2026-03-28', '2026-03-29', '2026-10-25', '2026-10-26'].map((date) =>
      Date.parse(`${date}T12:00:00Z`),
    );
    const step = world.step(world.operator.process(noon.map((time) => order(time))));
    const rest = world.step(world.operator.finish());
    const hours = [...step.updates, ...rest.updates].map(
      ({ window: { start, end } }) => (end - start) / 3_600_000,
    );
    expect(hours).toEqual([24, 23, 25, 24]);
  });

  it('of counts slide by events', () => {
    const world = new World(countWindow(3, 2));
    const updates = world.step(world.operator.process([0, 5, 1, 4, 2].map((s) => at(s)))).updates;
    expect(updates.map(({ window, value }) => [window, value])).toEqual([
      [{ start: 0, end: 3 }, 3],
      [{ start: 2, end: 5 }, 3],
    ]);
  });

  it('of all time end with the stream', () => {
    const world = new World(globalWindow());
    expect(world.take(at(0), at(86_400))).toEqual([]);
    expect(world.step(world.operator.finish()).updates).toMatchObject([
      { value: 2, revision: 2, complete: true },
    ]);
    expect(world.operator.size).toEqual({ keys: 0, rows: 0 });
  });

  it('go by the host where they are asked to', () => {
    const world = new World(tumbling(MINUTE), { time: 'processing' });
    world.now = NOW;
    expect(world.take(order(0), order(2 * NOW))).toEqual([]);
    world.now += MINUTE;
    expect(world.step(world.operator.tick()).updates.map(shown)).toEqual(['[0,60) 2@2!']);
  });

  it('share what they have in common, and forget it when the last has ended', () => {
    const kinds = [
      tumbling(MINUTE),
      hopping(5 * MINUTE, 30 * SECOND),
      hopping(MINUTE, 7 * SECOND),
      tumbling(MINUTE, { offsetMs: 1 }),
    ];
    const aggregation = count();
    const world = new World(
      kinds.map((windows, i) => ({ name: `w${i}`, windows, aggregation })),
      {
        key: ({ id }) => id,
      },
    );
    for (let i = 0; i < 3000; i++) world.take(at(i));
    expect(world.operator.size.keys).toBeLessThan(400);
    world.step(world.operator.finish());
    expect(world.operator.size).toEqual({ keys: 0, rows: 0 });
  });
});

describe('bad input', () => {
  it.each([
    [() => tumbling(0), '/sizeMs'],
    [() => tumbling(1.5), '/sizeMs'],
    [() => hopping(MINUTE, 0), '/slideMs'],
    [() => hopping(MINUTE, 2 * MINUTE), '/slideMs'],
    [() => hopping(MINUTE, SECOND, { offsetMs: SECOND }), '/offsetMs'],
    [() => session(0), '/gapMs'],
    [() => countWindow(2, 3), '/slide'],
    [() => days('Mars/Olympus'), '/timeZone'],
    [() => new World([]), '/windows'],
    [() => early({ on: 'count', every: 0 }), '/trigger'],
    [() => new World(tumbling(MINUTE), { watermark: { idleMs: -1 } }), '/idleMs'],
  ])('is refused at definition: %s', (define, path) => {
    expect(define).toThrow(
      expect.objectContaining({ code: 'query.invalid', details: expect.objectContaining({ path }) }),
    );
  });

  it('is a dead letter with its reason, and the rest is counted', () => {
    const world = new World(
      [
        {
          name: 'w',
          windows: tumbling(MINUTE),
          aggregation: aggregate({ n: count(), total: sum('total') }),
        },
      ],
      {
        key: (event) => (event.data as { readonly key?: { readonly name: string } }).key!.name,
      },
    );
    const good = at(1, { data: { key: { name: 'ada' }, total: 2 } });
    const bad = [
      at(1, { data: { key: { name: 'ada' }, total: 'two' } }),
      at(1, { data: { total: 1 } }),
      { ...good, id: 'no-time', timestamp: undefined as unknown as number },
      { ...good, id: 'absurd', timestamp: 8.64e15 },
    ];
    const step = world.step(world.operator.process([...bad, good, good]));
    expect(step.deadLetters.map(({ event, code }) => [bad.indexOf(event), code]).toSorted()).toEqual([
      [0, 'value.invalid'],
      [1, undefined],
      [2, 'event.invalid'],
      [3, 'event.invalid'],
    ]);
    expect(world.operator.counts).toEqual({ events: 2, late: 0, deadLetters: 4 });
    expect(world.step(world.operator.finish()).updates).toMatchObject([
      { key: 'ada', value: { n: 2, total: 4 }, revision: 2 },
    ]);
  });
});
