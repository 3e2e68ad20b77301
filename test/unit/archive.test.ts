/** What goes to the archive, and when; what reads cost; and that whoever needs the archive harms nobody else. */
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import { makeEvent } from '../../src/event/event.ts';
import { openSqlite, type SqlDatabase } from '../../src/storage/sqlite.ts';
import { archiveLimits } from '../../src/storage/segments/archive.ts';
import { archiveAfterMs } from '../../workers/edge/archive/archive-after.ts';
import { r2Archive } from '../../workers/edge/archive/r2-archive.ts';
import { ShardArchive } from '../../workers/edge/archive/shard-archive.ts';
import { openCommitLog } from '../../workers/edge/commit-log.ts';
import { Upkeep } from '../../workers/edge/upkeep.ts';
import { archiveAll, EVERYTHING, newKeys } from '../conformance/drivers/archived.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import { FaultyArchive } from '../property/archive-world.ts';

const DAY = 86_400_000;
const TODAY = Date.parse('2026-01-01T00:00:00Z');

const eventOf = (number: number, timestamp = TODAY) =>
  makeEvent({
    id: `order/${number}`,
    type: 'order.placed',
    data: { number, text: 'x'.repeat(1_000) },
    timestamp,
    source: 'shop',
    priority: 2,
    correlationId: undefined,
    causationId: undefined,
    subject: undefined,
  });

/** A log with an archive that can fail; `cacheBytes` as it is by default. */
function world(database: SqlDatabase = nodeSqlite(':memory:'), cacheBytes?: number) {
  const archive = new FaultyArchive();
  const storage = openSqlite(database, {
    archive: { store: archive, newKey: newKeys('log'), cacheBytes },
  });
  let next = 0;
  const commit = async (count: number, timestamp?: number): Promise<void> => {
    const events = Array.from({ length: count }, () => eventOf(next++, timestamp));
    await storage.commit([{ events }]);
    while (await storage.compact());
  };
  const step = (now: number) => storage.archive({ now, olderThanMs: 30 * DAY });
  return { archive, storage, commit, step, database };
}

describe('what goes to the archive', () => {
  it('is full segments whose last event is older, once they fill an object', async () => {
    const { commit, step, storage } = world();
    await commit(1_600, TODAY - 31 * DAY);
    expect(await step(TODAY)).toEqual({ more: false });
    expect(storage.archived().segments).toBe(0);
    await commit(1_000, TODAY - 31 * DAY);
    expect(await step(TODAY)).toEqual({ more: true });
    const { segments, objects, bytes } = storage.archived();
    expect([segments, objects]).toEqual([5, 1]);
    expect(bytes).toBeGreaterThan(archiveLimits.objectBytes);
    expect(await step(TODAY)).toEqual({ more: false });
  });

  it('waits for what is not old, and says until when', async () => {
    const { commit, step, storage } = world();
    await commit(3_000, TODAY - 10 * DAY);
    expect(await step(TODAY)).toEqual({ more: false, nextAt: TODAY + 20 * DAY + 1 });
    expect(await step(TODAY + 20 * DAY + 1)).toEqual({ more: true });
    expect(storage.archived().objects).toBe(1);
  });

  it('is kept here by no wrong clock: what the log has had for as long goes as well', async () => {
    const { commit, step, storage } = world();
    await commit(3_000, TODAY + 3_650 * DAY);
    expect(await step(TODAY)).toEqual({ more: false, nextAt: TODAY + 30 * DAY });
    expect(await step(TODAY + 29 * DAY)).toMatchObject({ more: false });
    expect(await step(TODAY + 30 * DAY)).toEqual({ more: true });
    expect(storage.archived().objects).toBe(1);
  });

  it('leaves a small part of the database, and none of the look-ups to the archive', async () => {
    const { commit, storage, database, archive } = world();
    await commit(4_000, 0);
    const size = () =>
      database.exec(
        `SELECT SUM(length(lines)) AS lines, SUM(length(columns) + length(terms)) AS rest FROM log_segment`,
      )[0]!;
    const before = size();
    await archiveAll(storage);
    expect(size()).toEqual({ lines: 0, rest: before['rest'] });
    expect(Number(before['rest'])).toBeLessThan(Number(before['lines']) / 30);
    const calls = archive.calls;
    await storage.stats();
    expect((await storage.read({ types: ['page.viewed'] })).events).toEqual([]);
    expect((await storage.read({ id: 'order/4001' })).events).toEqual([]);
    expect((await storage.read({ from: 1 })).events).toEqual([]);
    expect(archive.calls).toBe(calls);
  });
});

it('refers to no object of what was trimmed while it was put, and deletes it', async () => {
  const { commit, storage, archive } = world();
  await commit(1_000, 0);
  const put = archive.put.bind(archive);
  let puts = 0;
  archive.put = async (key, bytes) => {
    await put(key, bytes);
    if (puts++ === 0) await storage.trim(400);
  };
  await archiveAll(storage);
  expect([puts, storage.archived().segments, archive.kept.objects.size]).toEqual([2, 2, 1]);
  const kept = [...archive.kept.objects.values()].map((bytes) => new TextDecoder().decode(bytes));
  expect(kept.join('')).not.toContain('"order/399"');
  expect((await storage.read({ limit: 1_000 })).events[0]?.position).toBe(401);
});

it('is erased from, and again, after what it gave was wrong', async () => {
  const { commit, storage, archive } = world();
  await commit(20, 0);
  await archiveAll(storage);
  archive.faults = ['wrong'];
  await expect(Promise.resolve(storage.erase(3, 4))).rejects.toMatchObject({
    details: { reason: 'changed' },
  });
  expect(await storage.erase(3, 4)).toBe(4);
  expect(archive.kept.objects.size).toBe(0);
  const { events } = await storage.read({ limit: 5 });
  expect(events.filter(({ line }) => line.includes('$erased')).map(({ position }) => position)).toEqual([
    ...[3, 4],
  ]);
});

it('is not read to merge what is small', async () => {
  const { storage, archive } = world(undefined, 0);
  for (let i = 0; i < 40; i++) await storage.commit([{ events: [eventOf(i, 0)] }]);
  await archiveAll(storage);
  const { calls } = archive;
  expect([await storage.compact(), archive.calls, storage.archived().segments]).toEqual([
    false,
    calls,
    40,
  ]);
});

describe('reading the archive', () => {
  it('keeps what it has read, within its bound, and reads each object once', async () => {
    const { commit, storage, archive } = world(undefined, 5_000_000);
    await commit(10_000, 0);
    await archiveAll(storage);
    const { objects } = storage.archived();
    expect(objects).toBeGreaterThan(4);
    const calls = archive.calls;
    for (let after = 0, more = true; more;) {
      const page = await storage.read({ after, limit: 250 });
      ({ next: after, more } = page);
      expect(storage.archived().cachedBytes).toBeLessThanOrEqual(5_000_000);
    }
    expect(archive.calls - calls).toBe(objects);
    await Promise.all(Array.from({ length: 20 }, () => storage.read({ id: 'order/3' })));
    expect(archive.calls - calls).toBe(objects + 1);
  });

  it('ends a page before what must be fetched, so that no read waits that has something to give', async () => {
    const { commit, storage, archive } = world(undefined, 0);
    await commit(1_000, 0);
    await archiveAll(storage);
    await commit(100);
    archive.faults = ['well', 'refused'];
    const page = await storage.read({ limit: 1_000 });
    expect([page.events.length, page.next, page.more]).toEqual([400, 400, true]);
    archive.faults = ['refused'];
    const back = await storage.read({ limit: 1_000, direction: 'backward' });
    expect([back.events.length, back.next, back.more]).toEqual([100, 1_001, true]);
  });

  it('is done ahead of a transaction: while the archive is down, nobody fails who does not need it', async () => {
    const { commit, storage, archive } = world(undefined, 0);
    await commit(1_000, 0);
    await archiveAll(storage);
    const log = openCommitLog(storage, () => Promise.resolve());
    archive.faults = Array.from({ length: 10 }, () => 'refused');
    const given = [eventOf(5), eventOf(5_001), eventOf(5_002), eventOf(6, TODAY - 1)];
    const outcomes = await Promise.allSettled(given.map((event) => log.commit([{ events: [event] }])));
    expect(outcomes.map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
    archive.faults = [];
    const [again, other] = await Promise.all([
      log.commit([{ events: [eventOf(5, 0)] }]),
      log.commit([{ events: [eventOf(6)] }]),
    ]);
    expect(again[0]).toMatchObject({ ok: true, duplicates: 1, positions: [6] });
    expect(other[0]).toMatchObject({ ok: false, error: { code: 'event.conflict' } });
  });

  it('refuses a commit that would read more of it than a commit may', async () => {
    const { storage } = world(undefined, 0);
    for (let at = 0; at <= archiveLimits.commitObjects; at++) {
      await storage.commit([{ events: [eventOf(at, 0)] }]);
      await storage.archive(EVERYTHING);
    }
    const log = openCommitLog(storage, () => Promise.resolve());
    const events = Array.from({ length: archiveLimits.commitObjects + 1 }, (_, at) => eventOf(at, 0));
    const error = await Promise.resolve(log.commit([{ events }])).catch((thrown: unknown) => thrown);
    expect(hasCode(error, 'limit.exceeded') && error.details.limit).toBe('commit.archivedObjects');
    expect((await log.commit([{ events: events.slice(1) }]))[0]).toMatchObject({ duplicates: 100 });
  });
});

describe('at a shard', () => {
  it('takes a number of days, and refuses what is none', () => {
    const days = [undefined, '', '7', '0.5'].map((given) => archiveAfterMs(given) / DAY);
    expect(days).toEqual([30, 30, 7, 0.5]);
    for (const given of ['x', '-1', 'Infinity', '1d'])
      expect(() => archiveAfterMs(given)).toThrow(given);
  });

  it('leaves an archive that fails alone for a minute, and says when to come again', async () => {
    let [now, fails, steps] = [0, true, 0];
    const archive = new ShardArchive({
      storage: {
        archive: async () => {
          steps++;
          if (fails) throw new Error('down');
          return { more: false, nextAt: 500_000 };
        },
      },
      olderThanMs: 1,
      ports: { now: () => now },
    });
    await expect(archive.step()).rejects.toThrow('down');
    expect([await archive.step(), archive.nextAt, steps]).toEqual([false, 60_000, 1]);
    [now, fails] = [60_000, false];
    expect([await archive.step(), archive.nextAt, steps]).toEqual([false, 500_000, 2]);
    archive.pause();
    expect([await archive.step(), archive.nextAt, steps]).toEqual([false, 120_000, 2]);
  });

  it('wakes when a segment will be old, and sooner for a commit', async () => {
    const alarms: number[] = [];
    let left = 2;
    const upkeep = new Upkeep({
      storage: { compact: async () => false },
      catchUp: async () => false,
      archive: { step: async () => left-- > 0, nextAt: 50 * DAY },
      setAlarm: async (at) => void alarms.push(at),
      ports: { now: () => 0, after: () => () => undefined },
      onError: (error) => expect(error).toBeUndefined(),
    });
    await upkeep.alarm();
    expect([left, alarms]).toEqual([-1, [50 * DAY]]);
    upkeep.committing();
    expect(alarms).toEqual([50 * DAY, 10_000]);
  });

  it('waits for no bucket that does not answer', async () => {
    const never = () => new Promise<never>(() => undefined);
    const archive = r2Archive({ put: never, get: never, delete: never } as never, {
      ports: { after: (_, callback) => hostPorts.after(0, callback) },
    });
    for (const asked of [
      archive.put('key', new Uint8Array()),
      archive.get('key'),
      archive.delete('key'),
    ])
      await expect(asked).rejects.toMatchObject({ code: 'timeout' });
  });
});
