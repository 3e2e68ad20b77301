import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { listDeadLetters } from '../../src/sync/dead-letter.ts';
import { Pusher } from '../../src/sync/pusher.ts';
import { readProgress } from '../../src/sync/progress.ts';
import { dropDeadLetters, resendDeadLetters } from '../../src/sync/redrive.ts';
import { countOnce, readTally } from '../../src/sync/tally.ts';
import { faultyTransport, MemoryEdge, shopEvents, SteppedPorts } from './sync-world.ts';

/** Ten events of which the edge has refused three. */
async function world() {
  const edge = new MemoryEdge();
  const storage = openMemory();
  const ports = new SteppedPorts();
  const events = shopEvents(10);
  for (const index of [1, 4, 8]) edge.poison.add(events[index]!.id);
  await storage.commit([{ events }]);
  const pusher = new Pusher({ storage, transport: faultyTransport(edge), ports }).start();
  await ports.until(() => pusher.status.state === 'idle');
  await pusher.stop();
  const publish = async (line: string): Promise<void> => {
    const event = decodeLine(line);
    if (edge.poison.has(event.id)) {
      const details = { endpoint: 'edge', status: 400, reason: 'still bad', code: 'event.invalid' };
      throw new MillraceError('sync.refused', 'still bad', details);
    }
    await edge.storage.commit([{ events: [event] }]);
  };
  return { edge, storage, events, ports, publish };
}

const positionsOf = async (storage: Storage) =>
  (await listDeadLetters(storage)).map(({ position }) => position);

describe('dead letters', () => {
  it('are dropped for good, all or those that are named, and are counted', async () => {
    const { storage } = await world();
    expect(await dropDeadLetters(storage, { positions: [5, 6, 99] })).toBe(1);
    expect(await positionsOf(storage)).toEqual([2, 9]);
    expect(await readProgress(storage)).toMatchObject({
      waiting: 0,
      acknowledged: 7,
      rejected: 2,
      dropped: 1,
    });
    expect(await dropDeadLetters(storage)).toBe(2);
    expect(await dropDeadLetters(storage)).toBe(0);
    expect(await readProgress(storage)).toMatchObject({ acknowledged: 7, rejected: 0, dropped: 3 });
  });

  it('are sent again beside the sequence: those that the edge takes are acknowledged, the others say why not', async () => {
    const { storage, edge, events, publish } = await world();
    edge.poison.delete(events[4]!.id);
    expect(await resendDeadLetters(storage, publish)).toBe(1);
    expect((await edge.ids()).filter((id) => id === events[4]!.id)).toHaveLength(1);
    expect(
      (await listDeadLetters(storage)).map(({ position, reason, attempts }) => [
        position,
        reason.message,
        attempts,
      ]),
    ).toEqual([
      [2, 'still bad', 2],
      [9, 'still bad', 2],
    ]);
    expect(await readProgress(storage)).toMatchObject({ acknowledged: 8, rejected: 2, dropped: 0 });
    edge.poison.clear();
    expect(await resendDeadLetters(storage, publish, { positions: [9] })).toBe(1);
    expect(await resendDeadLetters(storage, publish)).toBe(1);
    expect((await edge.ids()).toSorted()).toEqual(events.map(({ id }) => id).toSorted());
    expect(await readProgress(storage)).toMatchObject({ acknowledged: 10, rejected: 0 });
  });

  it('stay where the edge cannot be reached, and a repeat stores none twice', async () => {
    const { storage, edge, events, publish } = await world();
    edge.poison.clear();
    let lost = 2;
    const lossy = async (line: string): Promise<void> => {
      await publish(line);
      if (lost-- > 0) throw new MillraceError('sync.unreachable', 'lost', { endpoint: 'edge' });
    };
    for (const _ of [1, 2])
      await expect(resendDeadLetters(storage, lossy)).rejects.toMatchObject({
        code: 'sync.unreachable',
      });
    expect(await positionsOf(storage)).toEqual([2, 5, 9]);
    expect(await resendDeadLetters(storage, lossy)).toBe(3);
    expect((await edge.ids()).toSorted()).toEqual(events.map(({ id }) => id).toSorted());
  });

  it('that the edge has not passed yet stay: their place is still to be sent as a hole', async () => {
    const { storage, publish } = await world();
    await storage.commit([{ events: [], put: [['sync/acked', 4]] }]);
    expect(await dropDeadLetters(storage)).toBe(1);
    expect(await resendDeadLetters(storage, publish)).toBe(0);
    expect(await positionsOf(storage)).toEqual([5, 9]);
  });
});

describe('the tally', () => {
  it('counts each once, however many count at the same time', async () => {
    const memory = openMemory();
    const slow: Storage = Object.assign(Object.create(memory) as Storage, {
      get: async (key: string) => memory.get(key),
      producer: async (id: string) => memory.producer(id),
      commit: async (batch: Parameters<Storage['commit']>[0]) => memory.commit(batch),
    });
    await Promise.all(
      Array.from({ length: 20 }, (_, count) =>
        countOnce(slow, async () => ({ what: count % 2 === 0 ? 'shed' : 'resent', count })),
      ),
    );
    expect(await readTally(memory)).toEqual({ shed: 90, resent: 100, discarded: 0 });
  });

  it('counts what several tabs drop at the same time once', async () => {
    const { storage } = await world();
    const counts = await Promise.all([1, 2, 3].map(() => dropDeadLetters(storage)));
    expect(counts.reduce((sum, count) => sum + count)).toBe(3);
    expect(await readProgress(storage)).toMatchObject({ rejected: 0, dropped: 3 });
  });
});
