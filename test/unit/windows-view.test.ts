import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { makeEvent } from '../../src/event/event.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { openSqlite, type SqlRow, type SqlValue } from '../../src/storage/sqlite.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { eventsPerMinute } from '../../src/windows/events-per-minute.ts';
import { WindowedView } from '../../src/windows/windowed-view.ts';
import { damagedAt } from './sync-world.ts';

let made = 0;
const event = (type: string, timestamp: number) =>
  makeEvent({ id: `e-${made++}`, type, data: null, timestamp, source: 'test', priority: 2 });

async function append(storage: Storage, ...events: ReturnType<typeof event>[]): Promise<void> {
  await storage.commit([{ events }]);
}

const drivers: readonly (readonly [string, () => Storage])[] = [
  ['memory', () => openMemory()],
  ['SQLite', () => openSqlite(inMemory())],
];

describe.each(drivers)('a windowed view over %s', (_name, open) => {
  it('counts by window and key, sorted by start and then by key', async () => {
    const storage = open();
    const view = new WindowedView(storage, eventsPerMinute);
    await append(
      storage,
      event('b.x', 60_000),
      event('a.x', 61_000),
      event('a.x', 59_999),
      event('a.x', -1),
    );
    expect(await view.catchUp()).toHaveLength(4);
    expect(await view.read()).toEqual([
      { window: { start: -60_000, end: 0 }, key: 'a.x', value: { count: 1 }, revision: 1 },
      { window: { start: 0, end: 60_000 }, key: 'a.x', value: { count: 1 }, revision: 1 },
      { window: { start: 60_000, end: 120_000 }, key: 'a.x', value: { count: 1 }, revision: 1 },
      { window: { start: 60_000, end: 120_000 }, key: 'b.x', value: { count: 1 }, revision: 1 },
    ]);
  });

  it('is revised by an event of any age, and says what it revised', async () => {
    const storage = open();
    const view = new WindowedView(storage, eventsPerMinute);
    await append(storage, event('a.x', 0), event('a.x', 86_400_000));
    await view.catchUp();
    await append(storage, event('a.x', 59_000));
    expect(await view.catchUp()).toEqual([
      { window: { start: 0, end: 60_000 }, key: 'a.x', value: { count: 2 }, revision: 2 },
    ]);
    expect(await view.catchUp()).toEqual([]);
  });

  it('goes on where another view of its name has stopped', async () => {
    const storage = open();
    await append(storage, event('a.x', 0));
    await new WindowedView(storage, eventsPerMinute).catchUp();
    await append(storage, event('a.x', 1));
    const later = new WindowedView(storage, eventsPerMinute);
    expect(await later.catchUp()).toMatchObject([{ value: { count: 2 }, revision: 2 }]);
  });

  it('reads the windows that overlap a range, however it cuts them', async () => {
    const storage = open();
    const view = new WindowedView(storage, eventsPerMinute);
    await append(storage, ...[-1, 0, 1, 2].map((at) => event('a.x', at * 60_000)));
    await view.catchUp();
    const starts = async (from: number, to: number) =>
      (await view.read({ from, to })).map((result) => result.window.start / 60_000);
    expect(await starts(0, 60_000)).toEqual([0]);
    expect(await starts(-1, 60_001)).toEqual([-1, 0, 1]);
    expect(await starts(59_999, 60_000)).toEqual([0]);
    expect(await starts(60_000, 60_000)).toEqual([]);
    expect(await starts(-Number.MAX_VALUE, Number.MAX_VALUE)).toEqual([-1, 0, 1, 2]);
    expect(await starts(8.64e15, Number.MAX_VALUE)).toEqual([]);
  });

  it('takes any string as a key', async () => {
    const storage = open();
    const keys = [
      '__proto__',
      'constructor',
      '',
      '/',
      '\0',
      '\ud800',
      '\ufffd',
      '😀',
      'é',
      'x'.repeat(1000),
    ];
    const view = new WindowedView(storage, { ...eventsPerMinute, key: (of) => keys[Number(of.type)]! });
    await append(storage, ...[...keys, ...keys].map((_, i) => event(String(i % keys.length), 0)));
    await view.catchUp();
    const counts = new Map((await view.read()).map(({ key, value }) => [key, value.count]));
    expect(counts).toEqual(new Map(keys.map((key) => [key, 2])));
  });

  it('holds any number of keys in a window, and pages through them', async () => {
    const storage = open();
    const odd = ['\0', '\ud800', '\ud800\ud800', `${'k'.repeat(300)}a`, `${'k'.repeat(300)}b`];
    const keys = [...Array.from({ length: 295 }, (_, i) => `k${(i * 7919) % 295}`), ...odd];
    const view = new WindowedView(storage, { ...eventsPerMinute, key: (of) => keys[Number(of.type)]! });
    for (const at of [0, 60_000]) await append(storage, ...keys.map((_, i) => event(String(i), at)));
    await view.catchUp();
    await append(storage, ...keys.map((_, i) => event(String(i), 1)));
    await view.catchUp();

    const whole = await view.read();
    expect(whole).toHaveLength(600);
    expect(new Set(whole.map(({ key }) => key)).size).toBe(300);
    expect(whole.map(({ revision }) => revision)).toEqual([
      ...Array(300).fill(2),
      ...Array(300).fill(1),
    ]);
    for (const limit of [1, 7, 64, 1000]) {
      const paged: unknown[] = [];
      for (let after; ;) {
        const page = await view.page({ after, limit });
        expect(page.results.length).toBeLessThanOrEqual(limit);
        paged.push(...page.results);
        if (page.next === undefined) break;
        after = page.next;
      }
      expect(paged).toEqual(whole);
    }
  });

  it('keeps no value that grows with the keys of a window', async () => {
    const storage = open();
    const view = new WindowedView(storage, eventsPerMinute);
    await append(storage, ...Array.from({ length: 200 }, (_, i) => event(`k.${i}`, 0)));
    await view.catchUp();
    const sizes = (await storage.list('window/')).map(([, value]) => (value as unknown[]).length);
    expect(sizes).toEqual([64, ...Array(136).fill(1)]);
  });

  it('folds each event once, however many catch up at a time', async () => {
    const storage = open();
    const view = new WindowedView(storage, eventsPerMinute);
    const other = new WindowedView(storage, eventsPerMinute);
    await append(storage, ...Array.from({ length: 2500 }, () => event('a.x', 0)));
    await Promise.all([
      view.catchUp(),
      other.catchUp(),
      view.catchUp(),
      view.catchUp({ limit: 10 }),
      view.catchUp(),
    ]);
    expect(await view.read()).toMatchObject([{ value: { count: 2500 }, revision: 2500 }]);
  });

  it('stops at its limit, and at its signal, and goes on from there', async () => {
    const storage = open();
    const view = new WindowedView(storage, eventsPerMinute);
    await append(storage, event('a.x', 0), event('a.x', 0), event('a.x', 0));
    expect(await view.catchUp({ limit: 2 })).toMatchObject([{ revision: 2 }]);
    await expect(view.catchUp({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
    expect(await view.catchUp()).toMatchObject([{ revision: 3 }]);
  });

  it.each([[[1]], [[3]], [[1, 2, 4]], [[1, 2, 3, 4]]])(
    'passes over what is damaged, and counts it: %j',
    async (positions) => {
      const inner = open();
      const storage = damagedAt(inner, positions);
      const view = new WindowedView(storage, eventsPerMinute);
      await append(inner, ...[0, 1, 2, 3].map((at) => event('a.x', at)));
      const left = 4 - positions.length;
      const counted = left === 0 ? [] : [{ value: { count: left }, revision: left }];
      expect(await view.catchUp()).toMatchObject(counted);
      expect(await view.damaged()).toBe(positions.length);
      expect(await view.checkpoint()).toBe(4);
      await append(inner, event('a.x', 60_000));
      expect(await view.catchUp()).toMatchObject([{ window: { start: 60_000 }, revision: 1 }]);
      expect(await new WindowedView(storage, eventsPerMinute).damaged()).toBe(positions.length);
    },
  );

  it('passes over what was trimmed before it was read', async () => {
    const storage = open();
    const view = new WindowedView(storage, eventsPerMinute);
    await append(storage, event('a.x', 0), event('a.x', 0));
    await storage.trim(2);
    expect(await view.catchUp()).toEqual([]);
    await append(storage, event('a.x', 0));
    expect(await view.catchUp()).toMatchObject([{ revision: 1 }]);
  });
});

function inMemory() {
  const database = new DatabaseSync(':memory:');
  return {
    exec: (sql: string, ...bindings: SqlValue[]) =>
      database.prepare(sql).all(...(bindings as (string | number | null)[])) as SqlRow[],
    transaction<T>(run: () => T): T {
      database.exec('BEGIN');
      try {
        const value = run();
        database.exec('COMMIT');
        return value;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
  };
}
