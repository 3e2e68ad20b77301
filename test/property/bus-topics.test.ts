/** Topic patterns against a ten-line oracle, with patterns added and removed between the questions. */
import { deepEqual, equal } from 'node:assert/strict';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TopicIndex } from '../../src/bus/topic-index.ts';
import { topicMatches } from '../../src/bus/topic-pattern.ts';

/** AMQP 0-9-1, section 3.1.3.3, word for word. */
function matches(pattern: readonly string[], topic: readonly string[]): boolean {
  const [part, ...parts] = pattern;
  const [word, ...words] = topic;
  if (part === undefined) return word === undefined;
  if (part === '#') return matches(parts, topic) || (word !== undefined && matches(pattern, words));
  return word !== undefined && (part === '*' || part === word) && matches(parts, words);
}

const words = (...choice: string[]) =>
  fc.array(fc.constantFrom(...choice), { minLength: 1, maxLength: 6 }).map((words) => words.join('.'));
const pattern = words('a', 'b', '*', '#', '#');
const topic = words('a', 'b', 'c');
const split = (text: string): string[] => text.split('.');

it('a pattern matches a topic as AMQP says', () => {
  fc.assert(
    fc.property(pattern, topic, (pattern, topic) => {
      expect(topicMatches(pattern, topic)).toBe(matches(split(pattern), split(topic)));
    }),
    { numRuns: 20_000 },
  );
});

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), text: pattern }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('match' as const), text: topic }) },
);

/** The index beside a plain list of what is in it. */
class Both {
  readonly index = new TopicIndex<{ text: string }>();
  readonly kept: { text: string }[] = [];

  add(text: string): void {
    const value = { text };
    this.kept.push(value);
    this.index.add(text, value);
    this.index.add(text, value);
  }

  remove(at: number): void {
    const value = this.kept.splice(at % Math.max(this.kept.length, 1), 1)[0] ?? { text: 'a' };
    const wasThere = this.kept.length < this.index.size;
    equal(this.index.remove(value.text, value), wasThere);
    equal(this.index.remove(value.text, value), false);
  }

  match(topic: string): void {
    const expected = this.kept.filter(({ text }) => matches(split(text), split(topic)));
    const found = this.index.match(topic);
    equal(found.length, expected.length);
    deepEqual(new Set(found), new Set(expected));
  }
}

it('the index finds each pattern that matches once, whatever was added and removed before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const both = new Both();
      for (const step of steps) {
        if (step.kind === 'add') both.add(step.text);
        else if (step.kind === 'remove') both.remove(step.at);
        else both.match(step.text);
        expect(both.index.size).toBe(both.kept.length);
      }
      while (both.kept.length > 0) both.remove(0);
      expect(both.index.countNodes()).toBe(1);
    }),
    { numRuns: 3_000 },
  );
});

it('the index answers as qlobber does', () => {
  const { QlobberDedup } = createRequire(import.meta.url)('qlobber') as {
    QlobberDedup: new (options: object) => {
      add(p: string, v: object): void;
      match(t: string): Set<object>;
    };
  };
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 20 }),
      fc.array(topic, { maxLength: 10 }),
      (patterns, topics) => {
        const index = new TopicIndex<object>();
        const qlobber = new QlobberDedup({ max_wildcard_somes: 100 });
        for (const pattern of patterns) {
          const value = { pattern };
          index.add(pattern, value);
          qlobber.add(pattern, value);
        }
        for (const topic of topics) expect(new Set(index.match(topic))).toEqual(qlobber.match(topic));
      },
    ),
    { numRuns: 2_000 },
  );
});

it('patterns of many # take no exponential time, in the index or alone', () => {
  const pattern = `${'#.a.'.repeat(60)}b`;
  const topic = Array.from({ length: 120 }, () => 'a').join('.');
  const index = new TopicIndex<object>();
  index.add(pattern, {});
  expect(index.match(topic)).toEqual([]);
  expect(topicMatches(pattern, topic)).toBe(false);
});
