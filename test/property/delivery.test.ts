/**
 * The scheduler of a subscription's deliveries, over any order of answers, time-outs, lost answers and crashes: every
 * event is delivered or a dead letter, each key in its order, the sequence dense, never more under way than allowed.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'vitest';
import type { Answer } from '../../workers/edge/delivery/outcome.ts';
import { World, type WorldOptions } from './delivery-world.ts';

const answer: fc.Arbitrary<Answer> = fc
  .oneof(
    fc.constantFrom<{ status?: number; error?: string; retryAfterMs?: number }>(
      { status: 200 },
      { status: 204 },
      { status: 500 },
      { status: 503, retryAfterMs: 5_000 },
      { status: 429, retryAfterMs: 60_000 },
      { status: 400 },
      { status: 302 },
      { status: 410 },
      { error: 'no answer within 15000 ms' },
    ),
  )
  .map((given) => ({ ...given, latencyMs: 1 }));

const lane = fc.constantFrom('s:a', 's:a', 's:b', 'c:c', undefined);

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('append' as const), lane }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pull' as const), most: fc.integer({ min: 1, max: 8 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      which: fc.nat(9),
      taken: fc.boolean(),
      answer,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 700, 30_000, 900_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), calls: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ghost' as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('redrive' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const options: fc.Arbitrary<WorldOptions> = fc.record({
  concurrency: fc.integer({ min: 1, max: 6 }),
  batch: fc.integer({ min: 1, max: 3 }),
  retryForMs: fc.constantFrom(0, 60_000, 259_200_000),
});

it('delivers every event or keeps it as a dead letter, each key in order, by a dense sequence', () => {
  fc.assert(
    fc.property(options, fc.array(step, { minLength: 10, maxLength: 120 }), (given, steps) => {
      const world = new World(given);
      try {
        for (const each of steps) {
          take(world, each);
          checkBounds(world, given.concurrency);
        }
        world.drain();
        checkReceived(world);
        world.redrive();
        world.drain();
        equal(world.sequences('dead').length, 0);
        checkReceived(world);
      } finally {
        world.close();
      }
    }),
    { numRuns: 1_000 },
  );
});

function take(world: World, given: Step): void {
  if (given.kind === 'append') world.append(given.lane);
  else if (given.kind === 'pull') world.pull(given.most);
  else if (given.kind === 'begin') world.begin();
  else if (given.kind === 'wait') world.now += given.ms;
  else if (given.kind === 'crash') world.crash();
  else if (given.kind === 'stop') world.callsLeft = given.calls;
  else if (given.kind === 'ghost') world.ghost(given.which);
  else if (given.kind === 'redrive') world.redrive();
  // What answers 2xx has taken it; what answers otherwise may have.
  else if (world.underWay.length > 0)
    world.answer(given.which, { ...given, taken: given.taken || (given.answer.status ?? 0) < 300 });
}

function checkBounds(world: World, concurrency: number): void {
  const lanes = world.underWay.map(({ lane }) => lane);
  ok(lanes.length <= concurrency, 'more under way than allowed');
  equal(new Set(lanes).size, lanes.length, 'two deliveries of a lane are under way');
}

/** The oracle: the log itself. */
function checkReceived(world: World): void {
  const { ledger, log, received, everDead } = world;
  const contents = new Map<number, string>();
  for (const { sequence, lines } of received) {
    const content = lines.join('\n');
    equal(contents.get(sequence) ?? content, content, 'a sequence came with other content');
    contents.set(sequence, content);
  }
  const dead = world.sequences('dead');
  const known = new Set([...contents.keys(), ...dead]);
  deepEqual(
    [...known].toSorted((a, b) => a - b),
    Array.from({ length: ledger.sequence }, (_, i) => i + 1),
    'the sequence has a gap',
  );
  const lines = [...contents.values()].flatMap((content) => content.split('\n'));
  equal(new Set(lines).size, lines.length, 'an event is in two deliveries');
  if (dead.length === 0) deepEqual(lines.toSorted(), log.map(({ line }) => line).toSorted());
  checkOrder(world, everDead);
  deepEqual([ledger.waiting, ledger.dead], [world.sequences('waiting').length, dead.length]);
}

function checkOrder({ log, received }: World, everDead: ReadonlySet<number>): void {
  const laneOf = new Map(log.map(({ line, lane }) => [line, lane]));
  const place = new Map(log.map(({ line }, i) => [line, i]));
  const reached = new Map<string, number>();
  const seen = new Set<number>();
  for (const { sequence, lines } of received) {
    if (seen.has(sequence) || everDead.has(sequence)) continue;
    seen.add(sequence);
    for (const line of lines) {
      const lane = laneOf.get(line)!;
      ok(place.get(line)! > (reached.get(lane) ?? -1), `${line} came before what is ahead of it`);
      reached.set(lane, place.get(line)!);
    }
  }
}
