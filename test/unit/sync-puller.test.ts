import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { makeEvent } from '../../src/event/event.ts';
import { formatCursor } from '../../src/storage/cursor.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Pull } from '../../src/sync/protocol.ts';
import { pullInto } from '../../src/sync/puller.ts';
import { faultyTransport, idsOf, MemoryEdge, shopEvents, SteppedPorts } from './sync-world.ts';

const ports = new SteppedPorts();

describe('pullInto', () => {
  it('goes on from its cursor, which is kept with the events', async () => {
    const edge = new MemoryEdge();
    const events = shopEvents(10);
    await edge.storage.commit([{ events: events.slice(0, 6) }]);
    const storage = openMemory();
    const transport = faultyTransport(edge);
    const asked: (string | undefined)[] = [];
    const recording = {
      ...transport,
      pull: (after: string | undefined, limit: number) => (
        asked.push(after),
        transport.pull(after, limit)
      ),
    };
    expect(await pullInto({ storage, transport: recording, ports, limit: 4 })).toEqual({
      stored: 6,
      duplicates: 0,
      rejected: 0,
      cursor: formatCursor(6),
    });
    expect(await storage.get('sync/cursor')).toBe(formatCursor(6));
    await edge.storage.commit([{ events: events.slice(6) }]);
    expect(await pullInto({ storage, transport: recording, ports })).toMatchObject({
      stored: 4,
      duplicates: 0,
    });
    expect(asked).toEqual([undefined, formatCursor(4), formatCursor(6)]);
    expect(await idsOf(storage)).toEqual(events.map(({ id }) => id));
  });

  it('keeps what is no event, or conflicts, as dead letters, and takes the rest', async () => {
    const [first, second, third] = shopEvents(3);
    const storage = openMemory();
    await storage.commit([{ events: [second!] }]);
    const other = makeEvent({ ...second!, data: 'other' });
    const page: Pull = {
      lines: [encodeLine(first!), '{"half', encodeLine(other), encodeLine(third!)],
      next: '14',
      head: '14',
      more: false,
    };
    const transport = { ...faultyTransport(new MemoryEdge()), pull: async () => page };
    expect(await pullInto({ storage, transport, ports })).toMatchObject({
      stored: 2,
      rejected: 2,
      cursor: '14',
    });
    expect(await idsOf(storage)).toEqual([second!.id, first!.id, third!.id]);
    const dead = await storage.list('dead-pull/');
    expect(dead.map(([, value]) => (value as { line: string }).line)).toEqual([
      '{"half',
      encodeLine(other),
    ]);
  });

  it('does not turn for ever with an edge that never moves on', async () => {
    const page: Pull = { lines: [], next: '11', head: '12', more: true };
    const transport = { ...faultyTransport(new MemoryEdge()), pull: async () => page };
    const pull = pullInto({ storage: openMemory(), transport, ports });
    await expect(pull).rejects.toMatchObject({ code: 'sync.unreachable' });
  });

  it('says so where the edge’s log ends before the mirror’s cursor: the edge was reset', async () => {
    const edge = new MemoryEdge();
    await edge.storage.commit([{ events: shopEvents(6) }]);
    const storage = openMemory();
    await pullInto({ storage, transport: faultyTransport(edge), ports });
    await edge.restore(0);
    const reset = faultyTransport(edge);
    const refusing = {
      ...reset,
      pull: () => {
        const details = { endpoint: 'edge', status: 400, reason: 'past', code: 'cursor.invalid' };
        return Promise.reject(new MillraceError('sync.refused', 'past', details));
      },
    };
    for (const transport of [reset, refusing]) {
      const pull = pullInto({ storage, transport, ports });
      await expect(pull).rejects.toMatchObject({
        code: 'cursor.invalid',
        details: { cursor: formatCursor(6) },
        message: expect.stringContaining('the edge was reset'),
      });
    }
    expect(await storage.get('sync/cursor')).toBe(formatCursor(6));
  });

  it('stops when told to', async () => {
    const pull = pullInto({
      storage: openMemory(),
      transport: faultyTransport(new MemoryEdge()),
      ports,
      signal: AbortSignal.abort(),
    });
    await expect(pull).rejects.toMatchObject({ code: 'disposed' });
  });
});
