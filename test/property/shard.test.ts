/**
 * A log over shards against a list: however pushes, publications and retries come, over connections that are cut and
 * maps that are old, while shards are raised, nothing is lost, doubled, or out of its producer's order.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWireError } from '../../src/errors.ts';
import { decodeLine } from '../../src/event/wire.ts';
import type { ShardedLog } from '../../workers/edge/sharding/sharded-log.ts';
import { formatVector, parseVector } from '../../workers/edge/sharding/vector-cursor.ts';
import { ShardWorld } from './shard-world.ts';

const PRODUCERS = 3;
const KEYS = 5;

type Step =
  | { readonly kind: 'push'; readonly producer: number; readonly count: number; readonly holes: boolean }
  | { readonly kind: 'publish'; readonly count: number; readonly again: boolean }
  | { readonly kind: 'raise'; readonly by: number }
  | { readonly kind: 'faults'; readonly faults: readonly ShardWorld['faults'][number][] }
  | { readonly kind: 'isolate' };

const fault = fc.constantFrom(
  'well' as const,
  'well' as const,
  'request lost' as const,
  'answer lost' as const,
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      producer: fc.nat(PRODUCERS - 1),
      count: fc.integer({ min: 1, max: 6 }),
      holes: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      count: fc.integer({ min: 1, max: 5 }),
      again: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('raise' as const), by: fc.integer({ min: 1, max: 2 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('faults' as const),
      faults: fc.array(fault, { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('isolate' as const) }) },
);

/** What a device has: its sequence, and how far it was acknowledged. */
interface Device {
  readonly lines: (string | null)[];
  acknowledged: number;
}

let made = 0;
const lineOf = (key: string, number: number): string =>
  `{"id":"e-${made++}","type":"a.b","data":${number},"timestamp":"2026-01-01T00:00:00.000Z","source":"s","correlation_id":"${key}"}`;

/** As a producer does: what is not acknowledged is sent again, in what pieces ever, and a gap says where to go on. */
async function send(log: ShardedLog, producer: string, device: Device, count: number): Promise<void> {
  const seq = device.acknowledged + 1;
  const lines = device.lines.slice(seq - 1, seq - 1 + count);
  if (lines.length === 0) return;
  const holes = lines.flatMap((line, i) => (line === null ? [seq + i] : []));
  try {
    const outcome = await log.push({
      ...{ producer, epoch: 1, seq, count: lines.length, holes },
      lines: lines.filter((line) => line !== null),
    });
    if (!('seq' in outcome)) throw new Error(`conflicts: ${JSON.stringify(outcome)}`);
    device.acknowledged = Math.max(device.acknowledged, seq + lines.length - 1);
  } catch (error) {
    if (isWireError(error) && error.code === 'producer.gap') {
      const { expected } = error.details as { readonly expected: number };
      // What was acknowledged is never asked for again.
      if (expected <= device.acknowledged) throw error;
      device.acknowledged = expected - 1;
    } else if (isWireError(error) && error.code !== 'shard.sealed') throw error;
    else if (!isWireError(error) && !(error as Error).message.includes('cut')) throw error;
  }
}

async function all(log: ShardedLog, limit = 7): Promise<string[]> {
  const lines: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await log.page({ after, limit });
    lines.push(...page.lines);
    if (!page.more) return lines;
    after = page.next;
  }
}

describe('a log over shards', () => {
  it('loses, doubles and reorders nothing, whatever is cut off, sent again or raised', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const world = new ShardWorld();
        let log = world.log();
        const devices = Array.from({ length: PRODUCERS }, (): Device => ({
          lines: [],
          acknowledged: 0,
        }));
        const published: string[] = [];
        const pending: string[][] = [];
        let shards = 1;
        for (const one of steps) {
          if (one.kind === 'raise') await world.raise((shards += one.by));
          else if (one.kind === 'isolate') log = world.log();
          else if (one.kind === 'faults') world.faults.push(...one.faults);
          else if (one.kind === 'push') {
            const device = devices[one.producer]!;
            const { length } = device.lines;
            for (let i = 0; i < one.count; i++)
              device.lines.push(
                one.holes && i === 1
                  ? null
                  : lineOf(`k-${one.producer}-${(length + i) % KEYS}`, length + i),
              );
            await send(log, `p-${one.producer}`, device, one.count + 2);
          } else {
            const lines =
              one.again && pending.length > 0
                ? pending[0]!
                : Array.from({ length: one.count }, (_, i) => lineOf(`k-${i}`, i));
            if (!pending.includes(lines)) pending.push(lines);
            const done = await log
              .publish({ lines, untimed: [] })
              .then((outcome) => 'published' in outcome)
              .catch(() => false);
            if (done) published.push(...pending.splice(pending.indexOf(lines), 1)[0]!);
          }
        }
        world.faults.length = 0;
        for (const [i, device] of devices.entries())
          while (device.acknowledged < device.lines.length) await send(log, `p-${i}`, device, 4);
        for (const lines of pending) {
          await log.publish({ lines, untimed: [] });
          published.push(...lines);
        }
        const stored = (await all(world.log())).map((line) => decodeLine(line));
        const pushed = devices.flatMap(({ lines }) => lines.filter((line) => line !== null));
        const wanted = new Set([...pushed, ...published].map((line) => decodeLine(line).id));
        expect(stored.map(({ id }) => id).toSorted()).toEqual([...wanted].toSorted());
        for (const [i, { lines }] of devices.entries()) {
          for (let key = 0; key < KEYS; key++) {
            const of = (events: readonly { correlationId?: string | undefined; data: unknown }[]) =>
              events
                .filter(({ correlationId }) => correlationId === `k-${i}-${key}`)
                .map(({ data }) => data);
            expect(of(stored)).toEqual(
              of(lines.flatMap((line) => (line === null ? [] : [decodeLine(line)]))),
            );
          }
          expect((await log.producer(`p-${i}`)).seq).toBe(lines.length);
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  it('gives the same events in pages of any size, forwards, backwards and from any event on', async () => {
    const world = new ShardWorld();
    const log = world.log();
    for (const shards of [1, 3, 4]) {
      if (shards > 1) await world.raise(shards);
      for (let i = 0; i < 8; i++)
        await log.publish({
          lines: Array.from({ length: 5 }, (_, j) => lineOf(`k-${(i + j) % 7}`, i)),
          untimed: [],
        });
    }
    const oracle = await all(log, 1000);
    expect(oracle).toHaveLength(120);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 130 }), async (limit) => {
        expect((await all(log, limit)).toSorted()).toEqual(oracle.toSorted());
        const backwards: string[] = [];
        for (let before: string | undefined; ;) {
          const page = await log.page({ before, limit, direction: 'backward' });
          backwards.push(...page.lines);
          if (!page.more) break;
          before = page.next;
        }
        expect(backwards.toSorted()).toEqual(oracle.toSorted());
        const page = await log.page({ limit });
        for (const [i, after] of page.cursors().entries()) {
          const rest = [];
          for (let from = after; ;) {
            const next = await log.page({ after: from, limit: 50 });
            rest.push(...next.lines);
            if (!next.more) break;
            from = next.next;
          }
          expect([...page.lines.slice(0, i + 1), ...rest].toSorted()).toEqual(oracle.toSorted());
        }
      }),
      { numRuns: 6 },
    );
  }, 60_000);

  it('reads a correlation from one shard of each epoch', async () => {
    const world = new ShardWorld();
    const log = world.log();
    await world.raise(4);
    await log.publish({
      lines: Array.from({ length: 20 }, (_, i) => lineOf(`k-${i % 5}`, i)),
      untimed: [],
    });
    const { lines } = await log.page({ correlationId: 'k-3', limit: 100 });
    expect(lines.map((line) => decodeLine(line).data)).toEqual([3, 8, 13, 18]);
  });

  it('refuses a known id with other content, in whatever epoch it stands', async () => {
    const world = new ShardWorld();
    const log = world.log();
    const line = lineOf('k', 1);
    await log.publish({ lines: [line], untimed: [] });
    await world.raise(3);
    const other = line.replace('"data":1', '"data":2');
    expect(await log.publish({ lines: [lineOf('k', 2), other], untimed: [] })).toEqual({
      conflicts: [1],
    });
    expect(await log.publish({ lines: [line], untimed: [] })).toMatchObject({
      published: [{ duplicate: true }],
    });
    expect(await all(log)).toEqual([line]);
  });
});

describe('a vector cursor', () => {
  it('is read back as it was, and with one shard is the cursor of that shard', () => {
    const vector = fc.record({
      epoch: fc.nat(31),
      positions: fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 64 }),
    });
    fc.assert(fc.property(vector, (one) => void expect(parseVector(formatVector(one))).toEqual(one)));
    expect(formatVector({ epoch: 0, positions: [36] })).toBe('210');
  });

  it('refuses what is none', () => {
    for (const cursor of ['v', 'v1', 'v10', 'vx', 'v1011 ', 'v101', 'V1010', 'v0', 'v1010x'])
      expect(() => parseVector(cursor)).toThrow(/no cursor/);
  });
});
