/**
 * What is brought more than once to a log over shards: requests under an idempotency key, and events with ids of their
 * own. However a request is cut off and sent again, by whatever isolate, with shards raised before, between and while it
 * runs, each of its events is stored once, and its client is told the ids that they have.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIds } from '../../src/event/ids.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { hostPorts } from '../../src/ports.ts';
import type { PublishOutcome } from '../../workers/edge/shard-calls.ts';
import type { ShardedLog } from '../../workers/edge/sharding/sharded-log.ts';
import { ShardWorld } from './shard-world.ts';

const MS_A_DAY = 86_400_000;

/** Whoever makes ids has a clock of its own, by hours wrong. */
const clocks = [-5, 0, 7].map((hours) =>
  createIds({ ...hostPorts, now: () => Date.now() + hours * 3_600_000 }),
);

let made = 0;

interface Spec {
  readonly key: number;
  /** An id of the client's own: by one of the clocks, or none of time. None: the edge gives one. */
  readonly brought: number | undefined;
}

/** What a client sends, as often as it must. */
class Request {
  readonly names: readonly string[];
  readonly #events: readonly Readonly<Record<string, unknown>>[];
  readonly #key: string | undefined;
  answered: readonly string[] | undefined;
  /** All that were given. */
  readonly answers = new Set<string>();

  constructor(specs: readonly Spec[], keyed: boolean) {
    this.#key = keyed ? `request-${made++}` : undefined;
    this.#events = specs.map(({ key, brought }) => ({
      ...(brought !== undefined && { id: clocks[brought]?.() ?? `own-${made++}` }),
      // Without a key of the request only what has an id of its own is known again.
      ...(brought === undefined && !keyed && { id: `own-${made++}` }),
      type: 'a.b',
      data: `n-${made++}`,
      source: 's',
      ...(key < 5 && { correlation_id: `k-${key}` }),
    }));
    this.names = this.#events.map(({ data }) => data as string);
  }

  async send(log: ShardedLog, now: number): Promise<PublishOutcome> {
    const timestamp = new Date(now).toISOString();
    const edgeIds = createIds(hostPorts);
    const outcome = await log.publish({
      lines: this.#events.map(({ id = edgeIds(), ...event }) =>
        JSON.stringify({ id, ...event, timestamp }),
      ),
      untimed: this.#events.flatMap(({ id }, i) => (id === undefined ? [] : [i])),
      idempotent: this.#key === undefined ? undefined : { key: this.#key, hash: 'h' },
    });
    if (!('published' in outcome)) throw new Error(JSON.stringify(outcome));
    const ids = outcome.published.map((one) => one!.id);
    this.answers.add(JSON.stringify(ids));
    this.answered = ids;
    return outcome;
  }
}

async function all(
  log: ShardedLog,
): Promise<readonly { readonly id: string; readonly data: unknown }[]> {
  const events = [];
  for (let after: string | undefined; ;) {
    const page = await log.page({ after, limit: 9 });
    events.push(...page.lines.map((line) => decodeLine(line)));
    if (!page.more) return events;
    after = page.next;
  }
}

const spec = fc.record({ key: fc.nat(7), brought: fc.constantFrom(undefined, 0, 1, 2, 3) });
/** A request is some calls, most of which must go well for it to come far. */
const fault = fc.oneof(
  { weight: 6, arbitrary: fc.constant('well' as const) },
  { weight: 1, arbitrary: fc.constantFrom('request lost' as const, 'answer lost' as const) },
);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      specs: fc.array(spec, { minLength: 1, maxLength: 6 }),
      keyed: fc.boolean(),
      faults: fc.array(fault, { maxLength: 15 }),
      /** Meanwhile. */
      raise: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('again' as const),
      which: fc.nat(20),
      twice: fc.boolean(),
      faults: fc.array(fault, { maxLength: 15 }),
      raise: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('raise' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('isolate' as const) }) },
);

describe('what is brought again', () => {
  it('is stored once, under the ids that its client is told', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const world = new ShardWorld();
        let log = world.log();
        const requests: Request[] = [];
        let shards = 1;
        for (const one of steps) {
          if (one.kind === 'isolate') log = world.log();
          else if (one.kind === 'raise') await world.raise(++shards);
          else {
            const request =
              one.kind === 'send'
                ? new Request(one.specs, one.keyed)
                : requests[one.which % requests.length];
            if (request === undefined) continue;
            if (!requests.includes(request)) requests.push(request);
            world.faults.push(...one.faults);
            const cut = (error: unknown): void => {
              if (!(error as Error).message.includes('cut')) throw error;
            };
            const sending = [request.send(log, world.now()).catch(cut)];
            if (one.kind === 'again' && one.twice)
              sending.push(request.send(world.log(), world.now()).catch(cut));
            if (one.raise) await world.raise(++shards);
            await Promise.all(sending);
            world.faults.length = 0;
          }
        }
        for (const request of requests) await request.send(log, world.now());
        const stored = await all(world.log());
        const names = requests.flatMap((request) => request.names);
        expect(stored.map(({ data }) => data).toSorted()).toEqual(names.toSorted());
        for (const { answers } of requests) expect(answers.size, 'each time the same').toBe(1);
        const ids = requests.flatMap(({ answered }) => answered!);
        expect(stored.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  const line = (id: string, correlation: string, data: unknown = 1) =>
    `{"id":"${id}","type":"a.b","data":${JSON.stringify(data)},"timestamp":"2026-01-01T00:00:00.000Z","source":"s","correlation_id":"${correlation}"}`;

  it('is told the first outcome for a day, in whatever epoch that was', async () => {
    const world = new ShardWorld();
    let later = 0;
    world.now = () => Date.now() + later;
    const send = (data: number, hash = 'h') =>
      world
        .log()
        .publish({ lines: [line('e-1', 'a', data)], untimed: [], idempotent: { key: 'k', hash } });
    expect(await send(1)).toEqual({ published: [expect.objectContaining({ duplicate: false })] });
    await world.raise(3);
    expect(await send(1)).toEqual({
      published: [expect.objectContaining({ id: 'e-1', duplicate: false })],
      replayed: true,
    });
    expect(await send(2, 'other')).toEqual({ reused: true });
    await world.raise(4);
    expect(await send(1)).toMatchObject({ replayed: true });
    later = MS_A_DAY + 1;
    expect(await send(1)).toEqual({ published: [expect.objectContaining({ duplicate: true })] });
    expect(await send(1)).toMatchObject({ replayed: true });
  });

  it('is no outcome where it was refused: another request may have the key', async () => {
    const world = new ShardWorld();
    const log = world.log();
    await world.raise(3);
    await log.publish({ lines: [line('e-1', 'a')], untimed: [] });
    const keyed = (lines: readonly string[], hash: string) =>
      log.publish({ lines, untimed: [], idempotent: { key: 'k', hash } });
    expect(await keyed([line('e-1', 'a', 2), line('e-2', 'b')], 'h1')).toEqual({ conflicts: [0] });
    expect(await keyed([line('e-3', 'a', 2), line('e-2', 'b')], 'h2')).toMatchObject({
      published: [{ id: 'e-3' }, { id: 'e-2' }],
    });
  });

  it('is refused where one id stands twice in a request, for two shards', async () => {
    const world = new ShardWorld();
    const log = world.log();
    await world.raise(4);
    const lines = Array.from({ length: 8 }, (_, i) => line('e-1', `k-${i}`));
    const outcome = await log.publish({ lines, untimed: [] });
    expect(outcome).toSatisfy((one: PublishOutcome) => 'conflicts' in one && one.conflicts.length >= 6);
    expect(await all(log)).toEqual([]);
  });

  it('leaves the others stored where they are taken in part', async () => {
    const world = new ShardWorld();
    const log = world.log();
    await log.publish({ lines: [line('e-1', 'a')], untimed: [] });
    await world.raise(3);
    const lines = [line('e-1', 'a', 2), line('e-2', 'b'), line('e-3', 'c'), line('e-1', 'a')];
    const request = { lines, untimed: [], partial: true, idempotent: { key: 'k', hash: 'h' } };
    const published = [null, { duplicate: false }, { duplicate: false }, { duplicate: true }];
    expect(await log.publish(request)).toMatchObject({ published });
    expect(await log.publish(request)).toMatchObject({ published, replayed: true });
    expect((await all(log)).map(({ id }) => id).toSorted()).toEqual(['e-1', 'e-2', 'e-3']);
  });
});
