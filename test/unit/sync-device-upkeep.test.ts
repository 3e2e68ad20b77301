import { describe, expect, it } from 'vitest';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { eventsPerMinute } from '../../src/windows/events-per-minute.ts';
import { WindowedView } from '../../src/windows/windowed-view.ts';
import { DeviceUpkeep } from '../../workers/browser/device-upkeep.ts';
import { crashing, settle, shopEvents, SteppedPorts } from './sync-world.ts';

function world(keepEvents?: number, leads = true) {
  const ports = new SteppedPorts();
  const inner = openMemory();
  const compacted: number[] = [];
  const storage: Storage = {
    ...crashing(inner, undefined),
    compact: () => (compacted.push(ports.now()), false),
  };
  const view = new WindowedView(storage, eventsPerMinute);
  const windows = {
    catchUp: async (limit?: number) => void (await view.catchUp(limit === undefined ? {} : { limit })),
    checkpoint: () => view.checkpoint(),
  };
  const upkeep = new DeviceUpkeep({
    storage,
    ports,
    windows,
    keepEvents,
    leads: () => leads,
    guard: (task) => task(),
  });
  const acked = async (position: number) => {
    await inner.commit([{ events: [], put: [['sync/acked', position]] }]);
    upkeep.ask();
    await ports.step();
    await settle();
    return (await inner.stats()).trimmed;
  };
  return { ports, inner, view, windows, upkeep, acked, compacted };
}

describe('the upkeep of a device’s log', () => {
  it('forgets what is at the edge but for the last of it, and never what waits', async () => {
    const { inner, view, acked } = world(10);
    await inner.commit([{ events: shopEvents(50) }]);
    expect(await acked(0)).toBe(0);
    expect(await acked(10)).toBe(0);
    expect(await acked(25)).toBe(15);
    expect(await acked(50)).toBe(40);
    await view.catchUp();
    const counted = (await view.read()).reduce((sum, { value }) => sum + value.count, 0);
    expect(counted).toBe(50);
  });

  it('keeps the last 10,000 where nothing else is said', async () => {
    const { ports, inner, acked } = world();
    const events = shopEvents(15_000);
    await inner.commit([{ events: events.slice(0, 7_500) }]);
    await inner.commit([{ events: events.slice(7_500) }]);
    await acked(14_500);
    await ports.until(async () => (await inner.stats()).trimmed === 4_500);
  });

  it('forgets nothing that the windows have not counted', async () => {
    const { inner, windows, acked } = world(10);
    windows.catchUp = async () => {};
    await inner.commit([{ events: shopEvents(50) }]);
    expect(await acked(50)).toBe(0);
  });

  it('counts only what it forgets, however much waits behind it', async () => {
    const { inner, view, upkeep, acked } = world(10, false);
    await inner.commit([{ events: shopEvents(5_000) }]);
    await acked(30);
    await upkeep.free();
    expect((await inner.stats()).trimmed).toBe(30);
    // A page more, at the most.
    expect(await view.checkpoint()).toBeLessThanOrEqual(1_030);
  });

  it('forgets nothing where another tab leads', async () => {
    const { inner, acked } = world(10, false);
    await inner.commit([{ events: shopEvents(50) }]);
    expect(await acked(50)).toBe(0);
  });

  it('makes room at once where it must: all that is at the edge goes, and nothing that waits', async () => {
    const { inner, upkeep, acked } = world(10, false);
    await inner.commit([{ events: shopEvents(50) }]);
    await acked(30);
    await upkeep.free();
    expect(await inner.stats()).toMatchObject({ trimmed: 30, events: 20 });
  });

  it('makes room on a full disk too, up to what the windows have counted', async () => {
    const { inner, upkeep, windows, acked } = world(10, false);
    const events = shopEvents(50);
    await inner.commit([{ events: events.slice(0, 20) }]);
    await windows.catchUp();
    windows.catchUp = () => Promise.reject(new Error('the disk is full'));
    await inner.commit([{ events: events.slice(20) }]);
    await acked(50);
    await upkeep.free();
    expect((await inner.stats()).trimmed).toBe(20);
  });

  it('waits for a pause, but not for ever: half a minute, or 64 commits', async () => {
    const rare = world();
    const start = rare.ports.now();
    /** Commits that never leave the two seconds that would be a pause. */
    const traffic = async ({ upkeep, ports }: typeof rare, commits: number, everyMs: number) => {
      for (let commit = 0; commit < commits; commit++) {
        upkeep.committed();
        let due = false;
        ports.after(everyMs, () => (due = true));
        await ports.until(() => due);
      }
    };
    await traffic(rare, 40, 1_500);
    const [first] = rare.compacted;
    expect(first! - start).toBeGreaterThanOrEqual(30_000);
    expect(first! - start).toBeLessThanOrEqual(33_000);

    const dense = world();
    await traffic(dense, 63, 10);
    expect(dense.compacted).toEqual([]);
    await traffic(dense, 400, 10);
    expect(dense.compacted).toHaveLength(1);
    expect(dense.compacted[0]! - dense.ports.now()).toBeLessThan(0);
  });
});
