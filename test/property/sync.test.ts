import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openMemory } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { listDeadLetters } from '../../src/sync/dead-letter.ts';
import { Pusher } from '../../src/sync/pusher.ts';
import { readProgress } from '../../src/sync/progress.ts';
import { pullInto } from '../../src/sync/puller.ts';
import {
  crashing,
  faultyTransport,
  idsOf,
  MemoryEdge,
  RecordedLog,
  settle,
  shopEvents,
  SteppedPorts,
  type Crash,
  type Fault,
} from '../unit/sync-world.ts';

const faults = fc.array(
  fc.constantFrom<Fault>('none', 'lost', 'answer-lost', '503', '429', 'nonsense', 'behind', 'delayed'),
  { maxLength: 12 },
);
const crash = fc.option(
  fc.record({ call: fc.integer({ min: 1, max: 60 }), applied: fc.boolean(), fatal: fc.boolean() }),
  {
    nil: undefined,
  },
);
/** One process with a pusher: the faults that it meets, and when it ends, if the next does not start beside it. */
const life = fc.record({
  faults,
  crash,
  limit: fc.integer({ min: 1, max: 9 }),
  steps: fc.integer({ min: 0, max: 12 }),
  stops: fc.boolean(),
  captures: fc.integer({ min: 0, max: 8 }),
});
const poison = fc.uniqueArray(fc.integer({ min: 0, max: 39 }), { maxLength: 6 });

interface Life {
  readonly faults: readonly Fault[];
  readonly crash: Crash | undefined;
  readonly limit: number;
  readonly steps: number;
  readonly stops: boolean;
  readonly captures: number;
}

class Device {
  readonly ports = new SteppedPorts();
  readonly edge: MemoryEdge;
  storage: Storage;
  #pushers: Pusher[] = [];

  constructor(edge: MemoryEdge, storage: Storage) {
    this.edge = edge;
    this.storage = storage;
  }

  async live({ faults, crash, limit, steps, stops }: Omit<Life, 'captures'>): Promise<void> {
    const pusher = new Pusher({
      storage: crashing(this.storage, crash),
      transport: faultyTransport(this.edge, faults),
      ports: this.ports,
      limits: { events: limit },
    }).start();
    this.#pushers.push(pusher);
    for (let step = 0; step < steps; step++) await this.ports.step();
    if (stops || crash?.fatal) await pusher.stop();
  }

  async end(): Promise<void> {
    const done = async (): Promise<boolean> => (await readProgress(this.storage)).waiting === 0;
    let last = this.#startLast();
    await this.ports.until(() => {
      // As the host does: the claim of one that was stopped may come down late, and fence it.
      if (last.status.state === 'fenced') last = this.#startLast();
      return done();
    });
    await Promise.all(this.#pushers.map((pusher) => pusher.stop()));
    // What is left on the way comes too late to change anything.
    await settle();
  }

  #startLast(): Pusher {
    const last = new Pusher({
      storage: this.storage,
      transport: faultyTransport(this.edge),
      ports: this.ports,
    });
    this.#pushers.push(last);
    return last.start();
  }
}

it('every good event is at the edge once and in order, every poison one is a dead letter, whatever fails on the way', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(life, { maxLength: 5 }),
      poison,
      fc.boolean(),
      async (lives, poisonAt, names) => {
        const edge = new MemoryEdge();
        edge.names = names;
        const device = new Device(edge, openMemory());
        const events = shopEvents(40);
        for (const index of poisonAt) edge.poison.add(events[index]!.id);
        let captured = 0;
        for (const each of lives) {
          const batch = events.slice(captured, captured + each.captures);
          captured += batch.length;
          if (batch.length > 0) await device.storage.commit([{ events: batch }]);
          await device.live(each);
        }
        await device.storage.commit([{ events: events.slice(captured) }]);
        await device.end();

        const bad = events.filter((_, index) => poisonAt.includes(index)).map(({ id }) => id);
        const good = events.map(({ id }) => id).filter((id) => !bad.includes(id));
        expect(await edge.ids()).toEqual(good);
        const letters = await listDeadLetters(device.storage);
        expect(letters.map(({ line }) => (JSON.parse(line) as { id: string }).id)).toEqual(bad);
        expect(await readProgress(device.storage)).toMatchObject({
          head: events.length,
          waiting: 0,
          acknowledged: good.length,
          rejected: bad.length,
        });
        expect(await idsOf(device.storage)).toEqual(events.map(({ id }) => id));
      },
    ),
    { numRuns: 400 },
  );
});

it('a log that has lost its tail goes on: nothing of what is left is lost, nothing is at the edge twice', async () => {
  const loss = fc.record({ life, lost: fc.integer({ min: 0, max: 6 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(loss, { maxLength: 4 }), async (losses) => {
      const edge = new MemoryEdge();
      let log = new RecordedLog();
      const events = shopEvents(40);
      let captured = 0;
      for (const { life, lost } of losses) {
        const device = new Device(edge, log.storage);
        for (let count = 0; count < life.captures; count++) {
          await log.storage.commit([{ events: [events[captured++]!] }]);
        }
        await device.live({ ...life, stops: true });
        log = log.withoutLast(lost);
      }
      await log.storage.commit([{ events: events.slice(captured) }]);
      await new Device(edge, log.storage).end();

      const left = await idsOf(log.storage);
      const stored = await edge.ids();
      expect(stored.filter((id) => left.includes(id))).toEqual(left);
      expect(new Set(stored).size).toBe(stored.length);
    }),
    { numRuns: 300 },
  );
});

it('an edge that was put back to an earlier state gets what it has lost, once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ life, kept: fc.nat({ max: 6 }) }), { maxLength: 4 }),
      async (restores) => {
        const edge = new MemoryEdge();
        const device = new Device(edge, openMemory());
        const events = shopEvents(40);
        let captured = 0;
        for (const { life, kept } of restores) {
          const batch = events.slice(captured, captured + life.captures);
          captured += batch.length;
          if (batch.length > 0) await device.storage.commit([{ events: batch }]);
          await device.live(life);
          await edge.restore(Math.min(kept, edge.commits));
        }
        await device.storage.commit([{ events: events.slice(captured) }]);
        await device.end();
        expect(await edge.ids()).toEqual(events.map(({ id }) => id));
      },
    ),
    { numRuns: 300 },
  );
});

it('what was trimmed after it was acknowledged is not missed when the edge has lost it: the rest goes on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 10 }), fc.nat({ max: 3 }), async (trimmed, kept) => {
      const edge = new MemoryEdge();
      const device = new Device(edge, openMemory());
      const events = shopEvents(20);
      await device.storage.commit([{ events: events.slice(0, 10) }]);
      await device.live({ faults: [], crash: undefined, limit: 3, steps: 8, stops: true });
      expect(await edge.ids()).toHaveLength(10);
      await device.storage.trim(trimmed);
      await edge.restore(kept);
      const before = await edge.ids();
      await device.storage.commit([{ events: events.slice(10) }]);
      await device.end();
      const expected = events
        .filter(({ id }, index) => before.includes(id) || index >= trimmed)
        .map(({ id }) => id);
      expect(await edge.ids()).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

it('a mirror is the edge’s log, whatever fails on the way', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ crash, limit: fc.integer({ min: 1, max: 7 }), more: fc.nat({ max: 6 }) }), {
        maxLength: 6,
      }),
      async (pulls) => {
        const edge = new MemoryEdge();
        const events = shopEvents(40);
        const mirror = openMemory();
        const ports = new SteppedPorts();
        const transport = faultyTransport(edge);
        let stored = 0;
        const failures: (string | undefined)[] = [];
        for (const { crash, limit, more } of pulls) {
          const batch = events.slice(stored, stored + more);
          stored += batch.length;
          if (batch.length > 0) await edge.storage.commit([{ events: batch }]);
          const pull = pullInto({ storage: crashing(mirror, crash), transport, ports, limit });
          failures.push(
            await pull.then(
              () => undefined,
              (error: { code: string }) => error.code,
            ),
          );
        }
        await pullInto({ storage: mirror, transport, ports });
        expect(failures.filter((code) => code !== undefined && code !== 'storage.failed')).toEqual([]);
        expect(await idsOf(mirror)).toEqual(await edge.ids());
      },
    ),
    { numRuns: 200 },
  );
});
