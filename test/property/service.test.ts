/**
 * Whatever the edge and the machine do, each event's effect is there once, each key's in order, with what was published:
 * on memory and on SQLite, with kills at every step of the storage.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { Delivery } from '../../src/service/delivery-request.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';
import {
  deliveriesOf,
  effectsIn,
  flaky,
  mortal,
  publishedIn,
  startProcess,
  Stopped,
  SUBSCRIPTION,
  type Fails,
  type ServiceProcess,
} from './service-world.ts';

const drivers: Readonly<Record<string, () => { storage: Storage; end(): void }>> = {
  memory: () => ({ storage: openMemory(), end: () => undefined }),
  sqlite: () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-service-'));
    const database = nodeSqlite(join(folder, 'service.sqlite'));
    const end = (): void => {
      database.close?.();
      rmSync(folder, { recursive: true });
    };
    return { storage: openSqlite(database), end };
  },
};

const never: Fails = () => false;

interface Run {
  readonly keys: readonly number[];
  readonly batch: number;
  readonly handlers: number;
  /** Storage calls of each life; the last life is endless. `true`: the last call's answer is lost. */
  readonly lives: readonly (readonly [calls: number, after: boolean])[];
  /** Of the deliveries that could be sent next, which are; how many together; and which are sent twice. */
  readonly picks: readonly number[];
  readonly together: number;
}

const runs: fc.Arbitrary<Run> = fc.record({
  keys: fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }),
  batch: fc.integer({ min: 1, max: 3 }),
  handlers: fc.integer({ min: 1, max: 2 }),
  lives: fc.array(fc.tuple(fc.nat(60), fc.boolean()), { maxLength: 6 }),
  picks: fc.infiniteStream(fc.nat(100)).map((stream) => [...stream.take(200)]),
  together: fc.integer({ min: 1, max: 4 }),
});

const namesOf = (run: Run): readonly string[] => ['stock', 'mail'].slice(0, run.handlers);

/** Plays the edge until it has every delivery's acknowledgement. Whoever is killed is started again. */
async function play(storage: Storage, run: Run, fails: Fails, attempts?: number): Promise<void> {
  const names = namesOf(run);
  const lives = [...run.lives];
  const picks = [...run.picks];
  const pick = (): number => picks.shift() ?? 0;
  const start = (): ServiceProcess => {
    const [calls, after] = lives.shift() ?? [Infinity, false];
    return startProcess(mortal(storage, calls, after), names, fails, attempts);
  };
  let service = start();
  const waiting = [...deliveriesOf(run.keys, run.batch)];
  const done: Delivery[] = [];
  for (let turns = 0; waiting.length > 0; turns++) {
    if (turns > 2_000) throw new Error('it never ends');
    // The first of each key may go, and what is done may come again.
    const firsts = [...Map.groupBy(waiting, keyOf).values()].map(([first]) => first!);
    const sent = new Set(Array.from({ length: run.together }, () => firsts[pick() % firsts.length]!));
    const again = done.length > 0 && pick() % 4 === 0 ? [done[pick() % done.length]!] : [];
    const outcomes = await Promise.allSettled([
      ...[...sent].map(async (delivery) => [delivery, await service.take(delivery)] as const),
      ...again.map(async (delivery) => [delivery, await service.take(delivery)] as const),
    ]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        if (!(outcome.reason instanceof Stopped)) throw outcome.reason;
        continue;
      }
      const [delivery, what] = outcome.value;
      if (what === 'failed' || !waiting.includes(delivery)) continue;
      waiting.splice(waiting.indexOf(delivery), 1);
      done.push(delivery);
    }
    if (outcomes.some(({ status }) => status === 'rejected')) service = start();
  }
}

/** As the edge goes on with what was not acknowledged. */
async function untilTaken(service: ServiceProcess, delivery: Delivery): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      if ((await service.take(delivery)) !== 'failed') return;
    } catch (error) {
      if (!hasCode(error, 'storage.failed')) throw error;
    }
  }
  throw new Error(`${delivery.sequence} is never taken`);
}

const keyOf = ({ events }: Delivery): string => events[0]!.subject!;

/** The oracle: the events themselves, of those that the handler can take. */
function wanted(run: Run, takes: (handler: string, id: string) => boolean) {
  const events = deliveriesOf(run.keys, 1).flatMap((delivery) => delivery.events);
  return Object.fromEntries(
    namesOf(run).map((name) => {
      const taken = events.filter(({ id }) => takes(name, id));
      const bySubject = Map.groupBy(taken, ({ subject }) => subject!);
      const seen = [...bySubject].map(([key, of]) => [key, of.map(({ id }) => id)]);
      return [name, { count: taken.length, seen: Object.fromEntries(seen) as object }];
    }),
  );
}

describe.each(Object.entries(drivers))('on %s', (name, open) => {
  const numRuns = name === 'memory' ? 200 : 40;

  test('each effect is there once and in order, with what was published, however often it dies', async () => {
    await fc.assert(
      fc.asyncProperty(runs, async (run) => {
        const { storage, end } = open();
        try {
          await play(storage, run, never);
          expect(await effectsIn(storage, namesOf(run))).toEqual(wanted(run, () => true));
          const published = namesOf(run).flatMap((handler) =>
            run.keys.map((_, i) => `${handler}.done e-${i + 1}`),
          );
          expect(await publishedIn(storage)).toEqual(published.toSorted());
          const last = deliveriesOf(run.keys, run.batch).length;
          const { inbox } = startProcess(storage, [], never);
          expect(await inbox.missing(SUBSCRIPTION, last)).toEqual([]);
          // However many came, what is kept of them is one run.
          expect(await storage.list('service/world/')).toHaveLength(1);
        } finally {
          end();
        }
      }),
      { numRuns },
    );
  });

  test('a handler that fails on an event has it as a dead letter, and every other effect is there once', async () => {
    const poisoned = fc.tuple(runs, fc.uniqueArray(fc.nat(12)), fc.integer({ min: 1, max: 4 }));
    await fc.assert(
      fc.asyncProperty(poisoned, async ([run, poison, failures]) => {
        const { storage, end } = open();
        const isPoison = (handler: string, id: string): boolean =>
          handler === 'stock' && poison.includes(Number(id.slice(2)) - 1);
        const fails: Fails = ({ id }, handler, attempt) => isPoison(handler, id) && attempt <= failures;
        try {
          await play(storage, run, fails, 3);
          const dies = (handler: string, id: string): boolean => isPoison(handler, id) && failures >= 3;
          expect(await effectsIn(storage, namesOf(run))).toEqual(
            wanted(run, (handler, id) => !dies(handler, id)),
          );
          const { letters } = startProcess(storage, [], never);
          const buried = await letters.list();
          expect(buried.map(({ event, attempts }) => [event!.id, attempts]).toSorted()).toEqual(
            run.keys
              .map((_, i) => `e-${i + 1}`)
              .filter((id) => dies('stock', id))
              .map((id) => [id, 3])
              .toSorted(),
          );
        } finally {
          end();
        }
      }),
      { numRuns },
    );
  });

  test('a storage that fails now and then costs no effect, and makes none twice', async () => {
    const storages = fc.tuple(runs, fc.integer({ min: 2, max: 5 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(storages, async ([run, every, after]) => {
        const { storage, end } = open();
        try {
          const service = startProcess(flaky(storage, every, after), namesOf(run), never);
          const queues = Map.groupBy(deliveriesOf(run.keys, run.batch), keyOf).values();
          const inTurn = async (queue: readonly Delivery[]): Promise<void> => {
            for (const delivery of queue) await untilTaken(service, delivery);
          };
          await Promise.all([...queues].map(inTurn));
          expect(await effectsIn(storage, namesOf(run))).toEqual(wanted(run, () => true));
        } finally {
          end();
        }
      }),
      { numRuns: numRuns / 2 },
    );
  });

  test('two processes on one storage handle each event once between them', async () => {
    await fc.assert(
      fc.asyncProperty(runs, async (run) => {
        const { storage, end } = open();
        try {
          const names = namesOf(run);
          const processes = [0, 1].map(() => startProcess(storage, names, never));
          // Each takes another key's next delivery at the same time, and then each what the other has taken.
          const waiting = [...deliveriesOf(run.keys, run.batch)];
          while (waiting.length > 0) {
            const firsts = [...Map.groupBy(waiting, keyOf).values()].map(([first]) => first!);
            const [one, other = one] = firsts as [Delivery, Delivery?];
            const outcomes = await Promise.all([
              ...[processes[0]!.take(one), processes[1]!.take(other)],
              ...[processes[0]!.take(other), processes[1]!.take(one)],
            ]);
            expect(outcomes).not.toContain('failed');
            for (const taken of new Set([one, other])) waiting.splice(waiting.indexOf(taken), 1);
          }
          expect(await effectsIn(storage, names)).toEqual(wanted(run, () => true));
        } finally {
          end();
        }
      }),
      { numRuns: numRuns / 2 },
    );
  });
});

test('the marks say of any order of sequences which have run and which are missing', async () => {
  const sequences = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(sequences, async (order) => {
      const storage = openMemory();
      const { inbox } = startProcess(storage, [], never);
      const model = new Set<number>();
      for (const sequence of order) {
        expect(await inbox.hasRun(SUBSCRIPTION, sequence)).toBe(model.has(sequence));
        const put = await inbox.mark(SUBSCRIPTION, sequence);
        expect(put === undefined).toBe(model.has(sequence));
        if (put !== undefined) await storage.commit([{ events: [], put }]);
        model.add(sequence);
      }
      const missing = (await inbox.missing(SUBSCRIPTION, 40)).flatMap(({ from, to }) =>
        Array.from({ length: to - from + 1 }, (_, i) => from + i),
      );
      const all = Array.from({ length: 40 }, (_, i) => i + 1);
      expect(missing).toEqual(all.filter((sequence) => !model.has(sequence)));
      const few = await inbox.missing(SUBSCRIPTION, 30, 5);
      const counted = few.flatMap(({ from, to }) =>
        Array.from({ length: to - from + 1 }, (_, i) => from + i),
      );
      expect(counted).toEqual(
        all.filter((sequence) => sequence <= 30 && !model.has(sequence)).slice(0, 5),
      );
    }),
    { numRuns: 200 },
  );
});
