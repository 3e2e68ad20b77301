import { describe, expect, it } from 'vitest';
import { makeEvent } from '../../src/event/event.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Query, Storage } from '../../src/storage/storage.ts';
import { openLive, type LiveOptions } from '../../workers/edge/live.ts';

const event = (i: number, data: unknown = null) =>
  makeEvent({ id: `e-${i}`, type: 'a.b', data, timestamp: 0, source: 's', priority: 2 });

/** A log that counts its readers' calls, and a clock that stands still until told. */
function world(options: { readonly hints: boolean } = { hints: true }) {
  const storage = openMemory();
  const timers = new Set<() => void>();
  let reads = 0;
  let listeners = 0;
  const counted: Storage = Object.assign(Object.create(storage) as Storage, {
    stats: () => storage.stats(),
    read(query: Query) {
      reads++;
      return storage.read(query);
    },
    onCommit(listener: (head: number) => void) {
      listeners++;
      const undo = options.hints ? storage.onCommit(listener) : () => undefined;
      return () => {
        listeners--;
        undo();
      };
    },
  });
  const ports: LiveOptions['ports'] = {
    after(_delayMs, callback) {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
  };
  return {
    storage,
    open: async (after?: number) => (await openLive(counted, { after, ports })).getReader(),
    tick: () => [...timers].forEach((timer) => timer()),
    held: () => ({ listeners, timers: timers.size }),
    reads: () => reads,
  };
}

async function text(read: Promise<ReadableStreamReadResult<Uint8Array>>): Promise<string> {
  return new TextDecoder().decode((await read).value);
}

/** Lets all that is at hand happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the live stream', () => {
  it('names its cursor first, so that it can be resumed before any event', async () => {
    const { storage, open } = world();
    await storage.commit([{ events: [event(1), event(2)] }]);
    expect(await text((await open()).read())).toBe('retry: 1000\nid: 12\n\n');
    expect(await text((await open(1)).read())).toBe('retry: 1000\nid: 11\n\n');
  });

  it('starts at the head for a cursor beyond it', async () => {
    const { storage, open } = world();
    await storage.commit([{ events: [event(1)] }]);
    const reader = await open(1000);
    await reader.read();
    await storage.commit([{ events: [event(2)] }]);
    expect(await text(reader.read())).toContain('"e-2"');
  });

  it('holds a listener and a timer only while it waits', async () => {
    const { storage, open, held } = world();
    const reader = await open();
    await reader.read();
    expect(held()).toEqual({ listeners: 0, timers: 0 });
    const waiting = reader.read();
    await settle();
    expect(held()).toEqual({ listeners: 1, timers: 1 });
    await storage.commit([{ events: [event(1)] }]);
    expect(await text(waiting)).toContain('id: 11\nevent: event\ndata: {"id":"e-1"');
    expect(held()).toEqual({ listeners: 0, timers: 0 });
  });

  it('frees everything when its reader goes', async () => {
    const { open, held } = world();
    const reader = await open();
    await reader.read();
    void reader.read();
    await settle();
    await reader.cancel();
    await settle();
    expect(held()).toEqual({ listeners: 0, timers: 0 });
  });

  it('beats where nothing comes, and reads what no hint told of', async () => {
    const { storage, open, tick } = world({ hints: false });
    const reader = await open();
    await reader.read();
    const beat = reader.read();
    await settle();
    tick();
    expect(await text(beat)).toBe(': heartbeat\n\n');
    const late = reader.read();
    await settle();
    await storage.commit([{ events: [event(1)] }]);
    tick();
    expect(await text(late)).toContain('"e-1"');
  });

  it('reads no further than its reader takes', async () => {
    const { storage, open, reads } = world();
    for (let i = 0; i < 100; i++) await storage.commit([{ events: [event(i, 'x'.repeat(50_000))] }]);
    const reader = await open(0);
    await reader.read();
    const piece = await text(reader.read());
    await settle();
    expect(piece.length).toBeLessThan(300_000);
    expect(reads()).toBeLessThanOrEqual(2);
    let all = piece;
    while (all.split('\n\n').length <= 100) all += await text(reader.read());
    expect([...all.matchAll(/"id":"e-(\d+)"/g)].map((match) => Number(match[1]))).toEqual([
      ...Array(100).keys(),
    ]);
  });
});
