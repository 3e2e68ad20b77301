import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toWire } from '../../src/event/wire.ts';
import { compileCondition } from '../../src/routing/condition.ts';
import { EventRouter } from '../../src/routing/event-router.ts';
import { IntervalTree } from '../../src/routing/interval-tree.ts';
import { parsePattern } from '../../src/routing/parse-pattern.ts';
import type { Pattern } from '../../src/routing/pattern.ts';
import { RuleIndex } from '../../src/routing/rule-index.ts';
import { event, pattern } from './routing-arbitraries.ts';
import { interpret, view } from './routing-oracle.ts';

const RULES = 256;
const EVENTS = 256;
const RUNS = 18;

describe('patterns mean what a plain interpreter of them says', () => {
  it('one pattern on one event', () => {
    fc.assert(
      fc.property(pattern, event, (one, given) => {
        expect(compileCondition(one)(given)).toBe(interpret(one, view(given)));
      }),
      { numRuns: 2000 },
    );
  });

  it(
    'a million pairs through the index, with rules added and removed between the events',
    { timeout: 60_000 },
    () => {
      let pairs = 0;
      let hits = 0;
      const property = fc.property(
        fc.array(pattern, { minLength: RULES, maxLength: RULES, size: 'max' }),
        fc.array(event, { minLength: EVENTS, maxLength: EVENTS, size: 'max' }),
        fc.infiniteStream(fc.nat(RULES - 1)),
        (patterns, events, picks) => {
          const router = new EventRouter({ onWarning: () => undefined });
          const live = new Set<number>();
          const toggle = (i: number): void => {
            if (live.delete(i)) router.removeRule(`${i}`);
            else {
              live.add(i);
              router.addRule({ id: `${i}`, condition: patterns[i]!, target: 't' });
            }
          };
          for (const one of events) {
            // Empty at first, full in the end, some removed all the way.
            for (let n = 0; n < 4; n++) {
              const pick = picks.next().value;
              if (!live.has(pick) || n === 0) toggle(pick);
            }
            const found = router.match(one);
            const matched = new Set(found.map((rule) => Number(rule.id)));
            if (matched.size < found.length)
              throw new Error(`a rule twice for ${JSON.stringify(toWire(one))}`);
            const seen = view(one);
            for (const [i, condition] of patterns.entries()) {
              const expected = live.has(i) && interpret(condition, seen);
              if (matched.has(i) !== expected) throw new Error(difference(condition, one, expected));
            }
            pairs += patterns.length;
            hits += matched.size;
          }
        },
      );
      // The error names the pair, and the property above shrinks it: to shrink hundreds of rules would take minutes.
      fc.assert(property, { numRuns: RUNS, endOnFailure: true });
      expect(pairs).toBeGreaterThan(1_000_000);
      expect(hits / pairs).toBeGreaterThan(0.03);
    },
  );

  it('an index whose rules are all removed keeps nothing of them, and takes others', () => {
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 20 }),
        fc.array(pattern, { maxLength: 5 }),
        event,
        (gone, kept, one) => {
          const index = new RuleIndex();
          const numbers = gone.map((condition) => index.add(parsePattern(condition)).number);
          index.match(one, []);
          for (const number of numbers) index.remove(number);
          expect(index.stats()).toEqual({ rules: 0, alternatives: 0, postings: 0, terms: 0, fields: 0 });
          const added = kept.map((condition) => index.add(parsePattern(condition)).number);
          const matched: number[] = [];
          index.match(one, matched);
          const expected = added.filter((_, i) => interpret(kept[i]!, view(one)));
          expect(matched.toSorted()).toEqual(expected.toSorted());
        },
      ),
    );
  });

  it('explain agrees with match, and what it says has failed does fail', () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 5 }), event, (patterns, one) => {
        const router = new EventRouter({ onWarning: () => undefined });
        for (const [i, condition] of patterns.entries())
          router.addRule({ id: `${i}`, condition, target: 't' });
        const matched = new Set(router.match(one));
        for (const { rule, matched: says, failed } of router.explain(one)) {
          expect(says).toBe(matched.has(rule));
          expect(failed === undefined).toBe(says);
          // The timestamp's leaf is text or ms, by who asks.
          if (failed?.reason !== 'field' || failed.path === 'timestamp') continue;
          const leaves = view(one).whole.get(`.${failed.path}`) ?? [];
          expect([...(failed.actual ?? [])].map(String).toSorted()).toEqual(
            [...leaves].map(String).toSorted(),
          );
        }
      }),
      { numRuns: 500 },
    );
  });

  it('rules go through JSON and route as before', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 5 }), event, (patterns, one) => {
        const options = { onWarning: () => undefined };
        const router = new EventRouter(options);
        for (const [i, condition] of patterns.entries())
          router.addRule({ id: `${i}`, condition, target: `t-${i}`, priority: i % 2 });
        const loaded = EventRouter.fromJSON(JSON.parse(JSON.stringify(router)), options);
        expect(loaded.routeEvent(one)).toEqual(router.routeEvent(one));
        expect(JSON.stringify(loaded)).toBe(JSON.stringify(router));
      }),
    );
  });
});

describe('the interval tree finds what a scan finds', () => {
  it('through any adding and removing', () => {
    const bound = fc.oneof(
      fc.integer({ min: -20, max: 20 }),
      fc.constantFrom(-Infinity, Infinity, 0.5, -0),
    );
    const step = fc
      .tuple(bound, bound, fc.boolean(), fc.nat())
      .map(([a, b, adds, pick]) => ({ low: Math.min(a, b), high: Math.max(a, b), adds, pick }));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200, size: 'max' }),
        fc.array(bound, { minLength: 1 }),
        (steps, values) => {
          const tree = new IntervalTree();
          const live: (readonly [low: number, high: number, id: number])[] = [];
          for (const [id, { low, high, adds, pick }] of steps.entries()) {
            if (adds || live.length === 0) {
              live.push([low, high, id]);
              tree.add(low, high, id);
            } else tree.remove(...live.splice(pick % live.length, 1)[0]!);
            expect(tree.size).toBe(live.length);
          }
          for (const value of values) {
            const found: number[] = [];
            tree.find(value, found);
            const expected = live.filter(([low, high]) => low <= value && value <= high);
            expect(found.toSorted()).toEqual(expected.map(([, , id]) => id).toSorted());
          }
        },
      ),
    );
  });
});

function difference(condition: Pattern, one: Parameters<typeof toWire>[0], expected: boolean): string {
  const pair = `${JSON.stringify(condition)} on ${JSON.stringify(toWire(one))}`;
  return `${pair}: the interpreter says ${expected}, the index does not`;
}
