/**
 * What routing costs by the number of rules, against the matchers in wide use, each with the same rules in its own
 * words. Answers are checked against a plain interpreter of the patterns before anything is timed.
 */
import { Engine } from 'json-rules-engine';
import { Query } from 'mingo';
import sift from 'sift';
import type { Event } from '../../src/event/event.ts';
import { EventRouter } from '../../src/routing/event-router.ts';
import type { RoutingRule } from '../../src/routing/routing-rule.ts';
import { interpret, view } from '../property/routing-oracle.ts';
import { makeEvents, makeRules, type BenchRule } from './routing-world.ts';
import type { Bench, Row } from './table.ts';
import { alternate, median, mustEqual } from './timing.ts';

const SIZES = [1, 1000, 10_000, 100_000];
const EVENTS = 20_000;
/** A linear matcher takes ms an event at 10,000 rules. */
const PEER_EVENTS = 40;
const PEER_RULES = 10_000;
const LIVE = 2000;
const ROUNDS = 5;

const bench: Bench = {
  name: 'router',
  async run() {
    const events = makeEvents(EVENTS);
    const rules = makeRules(100_000);
    // First, while nothing else is in memory that the collector would have to look at.
    const built = buildRows(rules);
    const routers = SIZES.map((size) => build(rules.slice(0, size)));
    check(routers.at(-1)!, rules, events.slice(0, 30));
    const times = await alternate(
      Object.fromEntries(SIZES.map((size, i) => [size, () => route(routers[i]!, events)])),
      ROUNDS,
    );
    const each = SIZES.map((size) => (times[size]! / EVENTS) * 1000);
    return [
      ...SIZES.map((size, i) => speedRow(size, each[i]!, each[0]!)),
      ...(await peerRows(routers[2]!, rules.slice(0, PEER_RULES), events)),
      ...built,
      ...liveRows(routers[3]!),
    ];
  },
};

function build(rules: readonly BenchRule[]): EventRouter {
  const router = new EventRouter({
    onWarning: ({ message }) => mustEqual(message, undefined, 'warning'),
  });
  for (const { rule } of rules) router.addRule(rule);
  return router;
}

function route(router: EventRouter, events: readonly Event[]): number {
  let targets = 0;
  for (const event of events) targets += router.match(event).length;
  return targets;
}

function check(router: EventRouter, rules: readonly BenchRule[], events: readonly Event[]): void {
  let matches = 0;
  for (const event of events) {
    const seen = view(event);
    const expected = rules
      .filter(({ rule }) => interpret(rule.condition, seen))
      .map(({ rule }) => rule.id);
    const found = router.match(event).map((rule) => rule.id);
    mustEqual(found.join(), expected.join(), `rules that match ${event.id}`);
    matches += found.length;
  }
  if (matches < events.length / 2) throw new Error(`only ${matches} matches: the check says little`);
}

function speedRow(size: number, us: number, one: number): Row {
  const last = size === SIZES.at(-1);
  return {
    case: `an event of 380 bytes, ${size.toLocaleString('en-US')} rules, against one rule`,
    unit: 'µs',
    ours: us,
    peer: one,
    ratio: us / one,
    goal: last ? '<=40' : '',
  };
}

async function peerRows(
  router: EventRouter,
  rules: readonly BenchRule[],
  events: readonly Event[],
): Promise<Row[]> {
  const some = events.slice(0, PEER_EVENTS);
  const documents = some.map(({ type, priority, source, data }) => ({ type, priority, source, data }));
  const mingo = rules.map(({ mongo }) => new Query(mongo));
  const sifts = rules.map(({ mongo }) => sift.default(mongo));
  const engine = new Engine(
    rules.map(({ engine }) => engine),
    { allowUndefinedFacts: true },
  );
  engine.addOperator('startsWith', (text: string, prefix: string) => text.startsWith(prefix));
  const count = (matches: number): void => mustEqual(matches, expected, 'matches');
  const expected = route(router, some);
  const peers = {
    mingo: () => count(sum(documents, (one) => mingo.filter((query) => query.test(one)).length)),
    sift: () => count(sum(documents, (one) => sifts.filter((test) => test(one)).length)),
    'json-rules-engine': async () => {
      // One event: it takes a good part of a second.
      const { events: found } = await engine.run(documents[0]!);
      mustEqual(found.length, router.match(some[0]!).length, 'matches');
    },
  };
  const times = await alternate({ ours: () => route(router, events), ...peers }, 2);
  const rate = {
    ours: (events.length / times.ours) * 1000,
    mingo: (PEER_EVENTS / times.mingo) * 1000,
    sift: (PEER_EVENTS / times.sift) * 1000,
    'json-rules-engine': 1000 / times['json-rules-engine'],
  };
  const best = Math.max(rate.mingo, rate.sift, rate['json-rules-engine']);
  return (['mingo', 'sift', 'json-rules-engine'] as const).map((name) => ({
    case: `10,000 rules, against ${name}`,
    unit: 'events/s',
    ours: rate.ours,
    peer: rate[name],
    ratio: rate.ours / rate[name],
    goal: rate[name] === best ? '>=1000' : '',
  }));
}

function sum<T>(all: readonly T[], count: (one: T) => number): number {
  return all.reduce((total, one) => total + count(one), 0);
}

/** Against the goal itself, for which there is no peer. */
function buildRows(rules: readonly BenchRule[]): Row[] {
  const times: number[] = [];
  const bytes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const kept: EventRouter[] = [];
    const before = heap();
    const start = performance.now();
    kept.push(build(rules));
    times.push(performance.now() - start);
    bytes.push((heap() - before) / rules.length);
    mustEqual(kept.pop()!.rules.length, rules.length, 'rules');
  }
  const [ms, each] = [median(times), median(bytes)];
  return [
    {
      case: 'building 100,000 rules, against 500 ms',
      unit: 'ms',
      ours: ms,
      peer: 500,
      ratio: ms / 500,
      goal: '<1',
    },
    {
      case: 'memory a rule, its own JSON aside, against 1 KB',
      unit: 'bytes',
      ours: each,
      peer: 1000,
      ratio: each / 1000,
      goal: '<1',
    },
  ];
}

function liveRows(router: EventRouter): Row[] {
  const rules: readonly RoutingRule[] = makeRules(LIVE, 'live').map(({ rule }) => rule);
  const add: number[] = [];
  const remove: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (const rule of rules) router.addRule(rule);
    const added = performance.now();
    for (const rule of rules) router.removeRule(rule.id);
    add.push(((added - start) / LIVE) * 1000);
    remove.push(((performance.now() - added) / LIVE) * 1000);
  }
  const row = (what: string, us: number): Row => ({
    case: `${what} one of 100,000 rules live, against 20 µs`,
    unit: 'µs',
    ours: us,
    peer: 20,
    ratio: us / 20,
    goal: '<1',
  });
  return [row('adding', median(add)), row('removing', median(remove))];
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

export default bench;
