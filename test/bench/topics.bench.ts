/** Finding the subscriptions of a topic among 100,000 wildcard patterns, against qlobber; answers are compared first. */
import { createRequire } from 'node:module';
import { TopicIndex } from '../../src/bus/topic-index.ts';
import type { Bench } from './table.ts';
import { alternate, mustEqual } from './timing.ts';

interface Qlobber {
  add(pattern: string, value: object): void;
  remove(pattern: string, value: object): void;
  match(topic: string): object[];
}
const { Qlobber } = createRequire(import.meta.url)('qlobber') as { Qlobber: new () => Qlobber };

const SUBSCRIPTIONS = 100_000;
const TOPICS = 2_000;
const CHANGES = 10_000;
const ROUNDS = 9;

/** A repeatable choice, so that every run asks the same (Lehmer's generator, MINSTD). */
let seed = 1;
function choose(below: number): number {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed % below;
}

const words = (): string[] => Array.from({ length: 3 + choose(3) }, () => `word${choose(50)}`);

/** A wildcard in each: of ten, seven `*` and three `#`. */
function pattern(): string {
  const parts = words();
  parts[choose(parts.length)] = choose(10) < 7 ? '*' : '#';
  return parts.join('.');
}

const bench: Bench = {
  name: 'topics',
  async run() {
    const patterns = Array.from({ length: SUBSCRIPTIONS }, pattern);
    const values = patterns.map((pattern) => ({ pattern }));
    const topics = Array.from({ length: TOPICS }, () => words().join('.'));
    const index = new TopicIndex<object>();
    const qlobber = new Qlobber();
    const built = await alternate(
      {
        ours: () => build(new TopicIndex<object>(), patterns, values),
        peer: () => build(new Qlobber(), patterns, values),
      },
      3,
    );
    build(index, patterns, values);
    build(qlobber, patterns, values);
    for (const topic of topics) mustFindTheSame(index.match(topic), qlobber.match(topic), topic);
    const found = { ours: 0, peer: 0 };
    const matched = await alternate(
      {
        ours: () => {
          for (const topic of topics) found.ours += index.match(topic).length;
        },
        peer: () => {
          for (const topic of topics) found.peer += qlobber.match(topic).length;
        },
      },
      ROUNDS,
    );
    mustEqual(found.ours, found.peer, 'subscriptions found');
    const changed = await alternate(
      { ours: () => change(index, patterns, values), peer: () => change(qlobber, patterns, values) },
      ROUNDS,
    );
    mustEqual(index.size, SUBSCRIPTIONS, 'subscriptions after removing and adding');
    for (const topic of topics) mustFindTheSame(index.match(topic), qlobber.match(topic), topic);
    const against = ({ ours, peer }: { ours: number; peer: number }, count: number) => ({
      ours: (count / ours) * 1000,
      peer: (count / peer) * 1000,
      ratio: peer / ours,
    });
    return [
      {
        case: '100,000 wildcard subscriptions: find those of a topic',
        unit: 'topics/s',
        ...against(matched, TOPICS),
        goal: '>=1',
      },
      { case: 'build them', unit: 'patterns/s', ...against(built, SUBSCRIPTIONS), goal: '' },
      { case: 'remove one and add it, live', unit: 'changes/s', ...against(changed, CHANGES), goal: '' },
    ];
  },
};

function build(
  target: { add(pattern: string, value: object): void },
  patterns: readonly string[],
  values: readonly object[],
): void {
  for (const [at, pattern] of patterns.entries()) target.add(pattern, values[at]!);
}

function change(
  target: Pick<Qlobber, 'add'> & { remove(pattern: string, value: object): unknown },
  patterns: readonly string[],
  values: readonly object[],
): void {
  for (let count = 0; count < CHANGES; count++) {
    const at = (count * 7) % SUBSCRIPTIONS;
    target.remove(patterns[at]!, values[at]!);
    target.add(patterns[at]!, values[at]!);
  }
}

function mustFindTheSame(ours: readonly object[], theirs: readonly object[], topic: string): void {
  const expected = new Set(theirs);
  mustEqual(ours.length, expected.size, `subscriptions of ${topic}`);
  mustEqual(new Set(ours).size, ours.length, `subscriptions of ${topic}, each once`);
  mustEqual(
    ours.every((value) => expected.has(value)),
    true,
    `the same subscriptions of ${topic}`,
  );
}

export default bench;
