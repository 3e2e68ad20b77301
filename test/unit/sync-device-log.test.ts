import { afterEach, describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DeviceLog } from '../../workers/browser/device-log.ts';
import type { LogSettings, LogStatus } from '../../workers/browser/worker-api.ts';
import { crashing, shopEvents } from './sync-world.ts';

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

const linesOf = (count: number, from = 0) =>
  shopEvents(from + count)
    .slice(from)
    .map(encodeLine);

describe('a device’s log', () => {
  it('forgets what is at the edge, and nothing else, where the disk is full', async () => {
    const { memory, disk, log } = world();
    await log.append(linesOf(50), false, 0);
    await log.windows({});
    await memory.commit([{ events: [], put: [['sync/acked', 30]] }]);
    disk.full = true;
    await expect(log.append(linesOf(1, 50), false, 1)).rejects.toMatchObject({
      code: 'storage.failed',
    });
    await expect.poll(() => memory.stats()).toMatchObject({ trimmed: 30, events: 20 });
    disk.full = false;
    expect(await log.append(linesOf(1, 50), false, 1)).toMatchObject({ positions: [51] });
  });

  it('sheds nothing because a batch had to be tried again and again', async () => {
    const lines = linesOf(5);
    const { disk, log } = world({ maxBytes: lines.join('').length * 2 });
    disk.full = true;
    for (let attempt = 0; attempt < 10; attempt++)
      await expect(log.append(lines, false, 0)).rejects.toMatchObject({ code: 'storage.failed' });
    disk.full = false;
    expect(await log.append(lines, false, 0)).toMatchObject({ positions: [1, 2, 3, 4, 5], shed: 0 });
  });

  it('forgets what is at the edge before its room is used up: nothing is shed for it', async () => {
    const lines = linesOf(50);
    const room = lines.reduce((sum, line) => sum + line.length, 0) * 1.5;
    const { memory, log } = world({ maxBytes: room });
    await log.append(lines, false, 0);
    await memory.commit([{ events: [], put: [['sync/acked', 50]] }]);
    await expect.poll(() => memory.stats()).toMatchObject({ trimmed: 50 });
    expect(await log.append(linesOf(50, 50), false, 1)).toMatchObject({ failed: [], shed: 0 });
  });

  it('counts what it sheds in the log, and says its size', async () => {
    const { memory, log, heard } = world({ maxBytes: 100 });
    const { positions, shed, failed } = await log.append(linesOf(5), false, 0);
    expect([positions, shed, failed.length]).toEqual([[1, 0, 0, 0, 0], 4, 4]);
    await expect.poll(() => memory.get('sync/tally')).toMatchObject({ shed: 4 });
    await expect.poll(() => heard.at(-1)).toMatchObject({ dropped: 4, committed: 1 });
    expect(heard.at(-1)!.bytes).toBe((await memory.stats()).bytes);
  });
});
