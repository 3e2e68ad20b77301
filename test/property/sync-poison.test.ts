import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openMemory } from '../../src/storage/memory.ts';
import { listDeadLetters } from '../../src/sync/dead-letter.ts';
import { Pusher } from '../../src/sync/pusher.ts';
import { faultyTransport, MemoryEdge, shopEvents, SteppedPorts } from '../unit/sync-world.ts';

it('a poison event that the edge does not name is found in 2·log₂ n + 1 requests at most, and costs no other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 500 }), fc.nat(), async (n, at) => {
      const edge = new MemoryEdge();
      edge.names = false;
      const events = shopEvents(n);
      const poison = at % n;
      edge.poison.add(events[poison]!.id);
      const storage = openMemory();
      await storage.commit([{ events }]);
      const ports = new SteppedPorts();
      const inner = faultyTransport(edge);
      let heads = 0;
      const transport = {
        ...inner,
        head: (producer: string) => (heads++, inner.head(producer)),
      };
      const pusher = new Pusher({ storage, transport, ports }).start();
      await ports.until(() => pusher.status.state === 'idle');
      await pusher.stop();
      expect((await listDeadLetters(storage)).map(({ position }) => position)).toEqual([poison + 1]);
      expect(await edge.ids()).toHaveLength(n - 1);
      // The first that goes on without it comes after all that were needed to find it.
      const without = edge.pushes.findIndex(({ holes }) => holes.includes(poison + 1));
      expect(without + heads).toBeLessThanOrEqual(2 * Math.log2(n) + 1);
    }),
    { numRuns: 150 },
  );
});
