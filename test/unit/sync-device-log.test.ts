import { afterEach, describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { createIds, timeOfUuidV7 } from '../../src/event/ids.ts';
import { encodeLine, type WireEvent } from '../../src/event/wire.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { decodeBatch } from '../../workers/browser/device-appends.ts';
import { DeviceLog } from '../../workers/browser/device-log.ts';
import type { Appended, LogSettings, LogStatus } from '../../workers/browser/worker-api.ts';
import { crashing, idsOf, shopEvents } from './sync-world.ts';

const open: DeviceLog[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((log) => log.close()));
});

/** A device's log on a storage that refuses to write events for want of room, as long as it is full. */
function world(more: Partial<LogSettings> = {}) {
  const memory = openMemory();
  const disk = { full: false };
  const storage: Storage = {
    ...crashing(memory, undefined),
    commit: async (batch: Parameters<Storage['commit']>[0]) => {
      if (!disk.full || batch.every(({ events }) => events.length === 0)) return memory.commit(batch);
      const cause = new DOMException('', 'QuotaExceededError');
      const details = { log: 'device', operation: 'write' };
      throw new MillraceError('storage.failed', 'full', details, { cause });
    },
  };
  const settings = {
    log: `unit-${Math.random()}`,
    endpoint: 'http://edge.example',
    sync: false,
    ...more,
  };
  const heard: LogStatus[] = [];
  const log = new DeviceLog({
    storage,
    settings: settings as LogSettings,
    online: true,
    onStatus: (status) => heard.push(status),
  });
  open.push(log);
  return { memory, disk, log, heard };
}

async function append(log: DeviceLog, lines: readonly string[], forgottenAt = 0): Promise<Appended> {
  const batch = decodeBatch({ number: 0, lines, hurry: false });
  const [appended] = await log.append([batch], forgottenAt);
  return appended!;
}

const linesOf = (count: number, from = 0) =>
  shopEvents(from + count)
    .slice(from)
    .map(encodeLine);

describe('a device’s log', () => {
  it('forgets what is at the edge, and nothing else, where the disk is full', async () => {
    const { memory, disk, log } = world();
    await append(log, linesOf(50));
    await log.windows({});
    await memory.commit([{ events: [], put: [['sync/acked', 30]] }]);
    disk.full = true;
    await expect(append(log, linesOf(1, 50))).rejects.toMatchObject({
      code: 'storage.failed',
    });
    await expect.poll(() => memory.stats()).toMatchObject({ trimmed: 30, events: 20 });
    disk.full = false;
    expect(await append(log, linesOf(1, 50))).toMatchObject({ positions: [51] });
  });

  it('sheds nothing because a batch had to be tried again and again', async () => {
    const lines = linesOf(5);
    const { disk, log } = world({ maxBytes: lines.join('').length * 2 });
    disk.full = true;
    for (let attempt = 0; attempt < 10; attempt++)
      await expect(append(log, lines)).rejects.toMatchObject({ code: 'storage.failed' });
    disk.full = false;
    expect(await append(log, lines)).toMatchObject({ positions: [1, 2, 3, 4, 5], shed: 0 });
  });

  it('forgets what is at the edge before its room is used up: nothing is shed for it', async () => {
    const lines = linesOf(50);
    const room = lines.reduce((sum, line) => sum + line.length, 0) * 1.5;
    const { memory, log } = world({ maxBytes: room });
    await append(log, lines);
    await memory.commit([{ events: [], put: [['sync/acked', 50]] }]);
    await expect.poll(() => memory.stats()).toMatchObject({ trimmed: 50 });
    expect(await append(log, linesOf(50, 50))).toMatchObject({ failed: [], shed: 0 });
  });

  it('counts what it sheds in the log, and says its size', async () => {
    const { memory, log, heard } = world({ maxBytes: 100 });
    const { positions, shed, failed } = await append(log, linesOf(5));
    expect([positions, shed, failed.length]).toEqual([[1, 0, 0, 0, 0], 4, 4]);
    await expect.poll(() => memory.get('sync/tally')).toMatchObject({ shed: 4 });
    await expect.poll(() => heard.at(-1)).toMatchObject({ dropped: 4, committed: 1 });
    expect(heard.at(-1)!.bytes).toBe((await memory.stats()).bytes);
  });

  it('refuses an event alone whose id another one has, and keeps the order of the rest', async () => {
    const { memory, log } = world();
    const [a, b, c] = linesOf(3).map((line) => JSON.parse(line) as WireEvent);
    await append(log, [JSON.stringify(b)]);
    const lines = [a, { ...b, data: 'other' }, c].map((event) => JSON.stringify(event));
    const { positions, failed } = await append(log, lines);
    expect(positions).toEqual([2, 0, 3]);
    expect(failed).toMatchObject([{ index: 1, error: { code: 'event.conflict' } }]);
    expect(await idsOf(memory)).toEqual([b!.id, a!.id, c!.id]);
  });

  it('does not keep what was captured before the device was forgotten, but what came after', async () => {
    const { memory, log } = world();
    const [before, after] = linesOf(2).map((line) => JSON.parse(line) as WireEvent);
    const at = timeOfUuidV7(before!.id);
    const later = createIds({ now: () => at + 1, fillRandom: () => {} })();
    const lines = [before!, { ...after!, id: later }, { ...after!, id: 'brought' }].map((event) =>
      JSON.stringify(event),
    );
    const { positions, failed } = await append(log, lines, at);
    expect(positions).toEqual([0, 1, 2]);
    expect(failed).toMatchObject([
      { index: 0, error: { code: 'consent.missing', details: { withdrawn: true } } },
    ]);
    expect(await idsOf(memory)).toEqual([later, 'brought']);
  });
});
