/**
 * What the event-time machinery costs: watermarks by source, late events, revisions, results, letting go. Against the
 * loop that one would write by hand without any of it, over the same events, in CPU time.
 */
import type { Event } from '../../src/event/event.ts';
import { aggregate } from '../../src/windows/aggregations/aggregate.ts';
import { count } from '../../src/windows/aggregations/count.ts';
import { max } from '../../src/windows/aggregations/extremes.ts';
import { sum } from '../../src/windows/aggregations/sum.ts';
import type { StreamWindow } from '../../src/windows/operator-options.ts';
import { WindowOperator } from '../../src/windows/window-operator.ts';
import type { Processed, WindowUpdate } from '../../src/windows/window-update.ts';
import { hopping, tumbling } from '../../src/windows/windows.ts';
import type { Bench, Row } from './table.ts';
import { median, mustEqual } from './timing.ts';
import { d2ts, rxjs, type Peer } from './windows-peers.ts';
import { batches, HandWritten, keyOf, Seconds, SECOND_MS, START, type Stream } from './windows-world.ts';

const EVENTS = 5_000_000;
const BATCH = 5_000;
const ROUNDS = 3;
const MINUTE = 60_000;
const MANY = 80;
/** d2ts recomputes a group from its history with every batch, so that its cost grows with the square. */
const PEER_EVENTS = { rxjs: 500_000, d2ts: 20_000 };

const sums = aggregate({ count: count(), sum: sum('value') });
const most = aggregate({ count: count(), max: max('value') });

const streams: Readonly<Record<string, readonly StreamWindow[]>> = {
  tumbling: [{ name: 'tumbling', windows: tumbling(MINUTE), aggregation: sums }],
  hopping: [{ name: 'hopping', windows: hopping(MINUTE, SECOND_MS), aggregation: most }],
  many: Array.from({ length: MANY }, (_, i) => ({
    name: `of ${i + 1}`,
    windows: tumbling((i + 1) * 10 * SECOND_MS),
    aggregation: sums,
  })),
};

/** A busy stream, whose hopping windows have a result for every 50 events; and one of which three times as many. */
const busy: Stream = { events: EVENTS, seconds: 100 };
const calmer: Stream = { events: EVENTS, seconds: 300 };

const bench: Bench = {
  name: 'windows',
  async run() {
    const measured = rounds(busy);
    const other = rounds(calmer);
    const row = (all: readonly Round[], name: string, peer: string): Omit<Row, 'case' | 'goal'> => ({
      ours: (cpu(all, name) / EVENTS) * 1e6,
      peer: (cpu(all, peer) / EVENTS) * 1e6,
      ratio: median(all.map(({ times }) => times.get(name)! / times.get(peer)!)),
      unit: 'ns/event',
    });
    const rate = ({ events, seconds }: Stream): string =>
      `${(events / seconds / 1000).toFixed(1)} k events/s`;
    const tumblingMs = cpu(measured, 'tumbling');
    return [
      {
        case: 'tumbling 60 s, count and sum, against a loop by hand',
        goal: '<=1.2',
        ...row(measured, 'tumbling', 'hand'),
      },
      {
        case: `hopping 60 s/1 s, count and max, at ${rate(busy)}, against the same loop`,
        goal: '<=1.5',
        ...row(measured, 'hopping', 'hand'),
      },
      { case: `... at ${rate(calmer)}`, goal: '', ...row(other, 'hopping', 'hand') },
      {
        case: '80 windows on one stream, against one',
        goal: '<=2',
        ...row(measured, 'many', 'tumbling'),
      },
      { case: `... at ${rate(calmer)}`, goal: '', ...row(other, 'many', 'tumbling') },
      peerRow(rxjs(MINUTE), PEER_EVENTS.rxjs, tumblingMs),
      peerRow(d2ts(MINUTE), PEER_EVENTS.d2ts, tumblingMs),
      ...leftRows(measured.at(-1)!),
    ];
  },
};

/** The first of the rounds warms up, and is checked. */
function rounds(stream: Stream): readonly Round[] {
  const oracle = new Seconds(stream);
  for (const batch of batches(stream, BATCH)) oracle.add(batch);
  round(stream, oracle);
  return Array.from({ length: ROUNDS }, () => round(stream, undefined));
}

function cpu(all: readonly Round[], name: string): number {
  return median(all.map(({ times }) => times.get(name)!));
}

interface Round {
  readonly times: ReadonlyMap<string, number>;
  /** Keys and rows in memory after all windows were closed, of all streams; and windows and keys of the loop by hand. */
  readonly left: number;
  readonly leftByHand: number;
}

/** Everything once over the same batches, each going first in its turn; what the events cost to make is not counted. */
function round(stream: Stream, oracle: Seconds | undefined): Round {
  const hand = new HandWritten();
  const times = new Map<string, number>();
  const counts = new Map<string, number>();
  const timed = <T>(name: string, run: () => T): T => {
    const before = process.cpuUsage();
    const value = run();
    const { user, system } = process.cpuUsage(before);
    times.set(name, (times.get(name) ?? 0) + (user + system) / 1000);
    return value;
  };
  const check = (name: string, updates: readonly WindowUpdate[]): void => {
    counts.set(name, (counts.get(name) ?? 0) + updates.length);
    if (oracle !== undefined) for (const update of updates) oracle.mustHold(update);
  };
  const operators = Object.entries(streams).map(([name, windows]) => ({
    name,
    operator: open(windows),
  }));
  const steps = [
    (batch: readonly Event[]) => timed('hand', () => hand.add(batch, MINUTE)),
    ...operators.map(({ name, operator }) => (batch: readonly Event[]) => {
      check(name, timed(name, () => operator.process(batch) as Processed).updates);
    }),
  ];
  let turn = 0;
  for (const batch of batches(stream, BATCH)) {
    for (let i = 0; i < steps.length; i++) steps[(turn + i) % steps.length]!(batch);
    turn++;
  }
  let left = 0;
  for (const { name, operator } of operators) {
    check(name, timed(name, () => operator.finish() as Processed).updates);
    mustEqual(operator.counts.events, EVENTS, `events of ${name}`);
    mustEqual(operator.counts.late, 0, `late events of ${name}`);
    left += operator.size.keys + operator.size.rows;
  }
  if (oracle !== undefined) mustBeAll(oracle, counts);
  const leftByHand = [...hand.windows.values()].reduce((sum, { size }) => sum + size, 0);
  return { times, left, leftByHand };
}

function open(windows: readonly StreamWindow[]): WindowOperator {
  const now = START + 3_600_000;
  const watermark = { outOfOrderMs: 2 * SECOND_MS };
  return new WindowOperator({ windows, key: keyOf, watermark, ports: { now: () => now } });
}

function mustBeAll(oracle: Seconds, counts: ReadonlyMap<string, number>): void {
  mustEqual(counts.get('tumbling'), oracle.results(MINUTE, MINUTE), 'results of tumbling windows');
  mustEqual(counts.get('hopping'), oracle.results(MINUTE, SECOND_MS), 'results of hopping windows');
  let many = 0;
  for (let i = 1; i <= MANY; i++) many += oracle.results(i * 10 * SECOND_MS, i * 10 * SECOND_MS);
  mustEqual(counts.get('many'), many, 'results of 80 windows');
}

/** Rates, for a peer that would take too long for all events. */
function peerRow(peer: Peer, events: number, ourCpuMs: number): Row {
  const hand = new HandWritten();
  const given = [...batches({ events, seconds: busy.seconds }, 1_000)];
  for (const batch of given) hand.add(batch, MINUTE);
  const before = process.cpuUsage();
  for (const batch of given) peer.add(batch);
  const results = peer.results();
  const { user, system } = process.cpuUsage(before);
  let expected = 0;
  for (const [start, keys] of hand.windows) {
    for (const [key, { count, sum }] of keys) {
      mustEqual(results.get(`${start} ${key}`), `${count} ${sum}`, `${peer.name}: ${start} ${key}`);
      expected++;
    }
  }
  mustEqual(results.size, expected, `results of ${peer.name}`);
  const ours = EVENTS / ourCpuMs / 1000;
  const theirs = events / ((user + system) / 1000) / 1000;
  return {
    case: `tumbling 60 s, count and sum, against ${peer.name}`,
    ours,
    peer: theirs,
    ratio: ours / theirs,
    goal: '>=1',
    unit: 'M events/s',
  };
}

function leftRows({ left, leftByHand }: Round): Row[] {
  const row = {
    case: 'left in memory after all windows closed',
    ours: left,
    peer: leftByHand,
    unit: 'keys and rows',
  };
  return [{ ...row, ratio: left / leftByHand, goal: '<=0' }];
}

export default bench;
