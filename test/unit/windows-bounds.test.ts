/** What windows keep, in memory and in the storage, and what they do where an aggregation refuses an event. */
import { describe, expect, it } from 'vitest';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Aggregation } from '../../src/windows/aggregation.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import type { StreamWindow, WindowOperatorOptions } from '../../src/windows/operator-options.ts';
import { WindowOperator } from '../../src/windows/window-operator.ts';
import type { Processed, WindowUpdate } from '../../src/windows/window-update.ts';
import { WindowedLog, type WindowedLogOptions } from '../../src/windows/windowed-log.ts';
import { countWindow, globalWindow, hopping, session, tumbling } from '../../src/windows/windows.ts';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 86_400_000;

let made = 0;
function at(seconds: number, subject = 'ada', total = 1): Event {
  const timestamp = NOW + seconds * SECOND;
  const event = { id: `e-${made++}`, type: 'order.placed', data: { total }, timestamp };
  return makeEvent({ ...event, source: 'page', priority: 2, subject });
}

const base: Omit<WindowOperatorOptions, 'windows'> = {
  key: (event) => event.subject ?? '',
  watermark: { outOfOrderMs: 0 },
  ports: { now: () => NOW + DAY },
};

function step(processed: Processed | Promise<Processed>): Processed {
  if (processed instanceof Promise) throw new Error('the answer should be at hand');
  return processed;
}

/** Refuses what is not for sale. */
const priced: Aggregation<number, number> = {
  initial: () => 0,
  add(sum, event) {
    const { total } = event.data as { readonly total: number };
    if (total < 0) throw new RangeError('a price is not negative');
    return sum + total;
  },
  merge: (left, right) => left + right,
  result: (sum) => sum,
};

describe('an event that an aggregation of one’s own refuses', () => {
  const results = (windows: StreamWindow['windows'], events: readonly Event[], own = {}): unknown[] => {
    const operator = new WindowOperator({
      ...base,
      windows: [{ name: 'w', windows, aggregation: priced, ...own }],
    });
    const steps = [step(operator.process(events)), step(operator.finish())];
    const refused = events.filter(({ data }) => (data as { readonly total: number }).total < 0);
    expect(steps[0]!.deadLetters.map(({ event }) => event)).toEqual(refused);
    expect(operator.counts.events).toBe(events.length - refused.length);
    expect(operator.size).toEqual({ keys: 0, rows: 0 });
    return steps.flatMap(({ updates }) =>
      updates.map(({ window, value, revision }) => [
        (window.start - NOW) / SECOND,
        (window.end - NOW) / SECOND,
        value,
        revision,
      ]),
    );
  };

  it('neither extends a session, nor joins two, nor begins one', () => {
    const events = [at(0), at(18), at(9, 'ada', -1), at(27, 'ada', -1), at(30, 'bob', -1), at(60)];
    expect(results(session(10 * SECOND), events)).toEqual([
      [0, 10, 1, 1],
      [18, 28, 1, 1],
      [60, 70, 1, 1],
    ]);
  });

  it('takes no place in a window of counts', () => {
    const operator = new WindowOperator({
      ...base,
      windows: [{ name: 'w', windows: countWindow(2), aggregation: priced }],
    });
    const events = [at(0), at(1, 'ada', -1), at(2, 'bob', -1), at(3), at(4), at(5, 'ada', -1)];
    const { updates } = step(operator.process(events));
    expect(updates.map(({ key, window, value }) => [key, window, value])).toEqual([
      ['ada', { start: 0, end: 2 }, 2],
    ]);
    expect(operator.size.keys).toBe(1);
  });

  it('hands no result on anew', () => {
    for (const results of ['accumulated', 'deltas'] as const) {
      const windows = hopping(10 * SECOND, SECOND);
      const window = { name: 'w', windows, aggregation: priced, results } as const;
      const operator = new WindowOperator({
        ...base,
        windows: [{ ...window, trigger: { on: 'change' }, allowedLatenessMs: DAY }],
      });
      step(operator.process([at(0), at(12)]));
      expect(step(operator.process([at(0, 'ada', -1), at(12, 'ada', -1)])).updates).toEqual([]);
    }
  });

  it('is counted by the others', () => {
    const windows = tumbling(MINUTE);
    const operator = new WindowOperator({
      ...base,
      windows: [
        { name: 'own', windows, aggregation: priced },
        { name: 'all', windows, aggregation: count() },
      ],
    });
    step(operator.process([at(0), at(1, 'ada', -1)]));
    const { updates } = step(operator.finish());
    const shown = updates.map(({ name, value, revision }) => [name, value, revision]);
    expect(shown.toSorted()).toEqual([
      ['all', 2, 2],
      ['own', 1, 1],
    ]);
  });
});

describe('a late event in a long window that slides finely', () => {
  it.each(['accumulated', 'deltas'] as const)('costs some merges a slice and window: %s', (results) => {
    let merges = 0;
    const aggregation: Aggregation<number, number> = {
      ...priced,
      merge: (left, right) => (merges++, left + right),
    };
    const slices = 300;
    const operator = new WindowOperator({
      ...base,
      windows: [
        {
          name: 'w',
          windows: hopping(slices * SECOND, SECOND),
          aggregation,
          results,
          allowedLatenessMs: DAY,
        },
      ],
    });
    step(operator.process(Array.from({ length: 3 * slices }, (_, i) => at(i))));
    step(operator.process([at(3 * slices)]));
    merges = 0;
    const { updates } = step(operator.process([at(1.5 * slices)]));
    expect(updates).toHaveLength(slices);
    expect(updates.map(({ value }) => value)).toEqual(updates.map(() => slices + 1));
    expect(merges).toBeLessThan(15 * slices);
  });
});

describe('windows ahead of the host’s clock', () => {
  it('take no more events once memory is full, and those in time do', () => {
    const windows = [{ name: 'w', windows: tumbling(SECOND), aggregation: count() }];
    const ports = { now: () => NOW };
    const operator = new WindowOperator({ ...base, windows, ports, maxRows: 100 });
    const ahead = Array.from({ length: 300 }, (_, i) => at(86_400 + i));
    const steps = ahead.map((event) => step(operator.process([event])));
    const refused = steps.flatMap(({ deadLetters }) => deadLetters);
    expect(refused.map(({ code }) => code)).toEqual(refused.map(() => 'limit.exceeded'));
    expect(refused.map(({ event }) => event)).toEqual(ahead.slice(100));
    expect(operator.size.rows).toBe(100);
    expect(step(operator.process([at(60), at(60)])).deadLetters).toEqual([]);
    expect(operator.counts).toEqual({ events: 102, late: 0, deadLetters: 200 });
  });
});

describe('with a storage', () => {
  const open = (
    storage: ReturnType<typeof openMemory>,
    windows: readonly StreamWindow[],
    own: Partial<WindowOperatorOptions> = {},
    options: WindowedLogOptions = {},
  ): WindowedLog => new WindowedLog(storage, { ...base, ...own, windows }, options);
  const kept = async (storage: ReturnType<typeof openMemory>): Promise<number> =>
    (await storage.list('window/', { limit: 10_000 })).length;

  it.each([
    ['slices', hopping(10 * MINUTE, MINUTE)],
    ['sessions', session(MINUTE)],
  ])('%s are removed some time after their end, and what comes for them is late', async (_, windows) => {
    const storage = openMemory();
    const late: string[] = [];
    const window = { name: 'w', windows, aggregation: count() };
    const onCommitted = (done: Processed): void =>
      void late.push(...done.late.map(({ event }) => event.id));
    const log = open(storage, [window], { retainMs: 30 * MINUTE }, { onCommitted, pageEvents: 50 });
    const most: number[] = [];
    for (let hour = 0; hour < 20; hour++) {
      const events = Array.from({ length: 30 }, (_, i) => at(hour * 3600 + i * 120, `v-${i % 7}`));
      await storage.commit([{ events }]);
      await log.catchUp();
      most.push(await kept(storage));
    }
    expect(Math.max(...most)).toBeLessThan(150);
    expect(most.at(-1)).toBeLessThanOrEqual(most[2]! + 5);
    const [tooLate, inTime] = [at(0, 'v-1'), at(19 * 3600 + 2700, 'v-1')];
    await storage.commit([{ events: [tooLate, inTime] }]);
    await log.catchUp();
    expect(late).toEqual([tooLate.id]);
    expect(log.operator.counts).toMatchObject({ late: 1 });
    await log.finish();
    await log.tick();
    await log.tick();
    expect(await kept(storage)).toBe(0);
  });

  it('a complete session that has grown stays as long as its later end says', async () => {
    const storage = openMemory();
    const windows = [{ name: 'w', windows: session(MINUTE), aggregation: count() }];
    const updates: WindowUpdate[] = [];
    const onCommitted = (done: Processed): void => void updates.push(...done.updates);
    const log = open(storage, windows, { retainMs: 10 * MINUTE }, { onCommitted });
    for (const event of [at(0), at(300, 'bob'), at(50), at(670, 'bob'), at(670, 'bob'), at(70)]) {
      await storage.commit([{ events: [event] }]);
      await log.catchUp();
    }
    const window = { start: NOW, end: NOW + 130 * SECOND };
    expect(updates.findLast(({ removed }) => removed !== true)).toMatchObject({ window, value: 3 });
  });

  it('stay for ever by default', async () => {
    const storage = openMemory();
    const log = open(storage, [{ name: 'w', windows: tumbling(MINUTE), aggregation: count() }]);
    await storage.commit([{ events: [at(-365 * 86_400), at(0)] }]);
    await log.catchUp();
    await log.finish();
    expect(await kept(storage)).toBe(2);
  });

  it('the end of many global windows is several commits, and each result is handed on once', async () => {
    const storage = openMemory();
    const updates: WindowUpdate[] = [];
    const sizes: number[] = [];
    const handOn = (done: Processed): Record<string, never> => {
      updates.push(...done.updates);
      sizes.push(done.updates.length);
      return {};
    };
    const windows = [{ name: 'w', windows: globalWindow(), aggregation: count() }];
    const keys = Array.from({ length: 2_500 }, (_, i) => `visitor-${i}`);
    await storage.commit([{ events: keys.map((key) => at(0, key)) }]);
    const log = open(storage, windows, {}, { handOn });
    await log.catchUp();
    sizes.length = 0;
    await log.finish();
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
    expect(updates.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    expect(log.operator.size).toEqual({ keys: 0, rows: 0 });
    await open(storage, windows, {}, { handOn }).finish();
    expect(updates).toHaveLength(keys.length);
    await storage.commit([{ events: [at(1, keys[7])] }]);
    const other = open(storage, windows, {}, { handOn });
    await other.catchUp();
    expect(updates.slice(keys.length)).toMatchObject([{ key: keys[7], value: 2, complete: true }]);
  });

  it.each([-1, 0.5, Number.NaN])('retainMs of %d is refused', (retainMs) => {
    expect(() =>
      open(openMemory(), [{ name: 'w', windows: globalWindow(), aggregation: count() }], { retainMs }),
    ).toThrow(expect.objectContaining({ code: 'query.invalid' }));
  });
});
