import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { compileCondition, type Condition } from '../../src/routing/condition.ts';
import { EventFilter } from '../../src/routing/event-filter.ts';
import {
  all,
  any,
  byField,
  byPriority,
  bySource,
  byTime,
  byType,
  not,
} from '../../src/routing/ready-filters.ts';

const event = (fields: Partial<Event> = {}): Event =>
  makeEvent({
    id: 'e',
    type: 'order.placed',
    source: 'shop.web',
    priority: 2,
    timestamp: 100,
    data: { cart: { total: 30 } },
    ...fields,
  });
const passes = (condition: Condition, fields?: Partial<Event>): boolean =>
  compileCondition(condition)(event(fields));

describe('named filters', () => {
  const large = { data: { cart: { total: [{ numeric: ['>=', 100] }] } } } as const;

  it('apply to one event, to many, and to a stream', async () => {
    const filters = new EventFilter();
    filters.add('large', large);
    filters.add('late', (one) => one.timestamp > 50);
    const [small, big] = [event(), event({ data: { cart: { total: 100 } } })];
    expect([filters.matches('large', small), filters.matches('large', big)]).toEqual([false, true]);
    expect(filters.matches('late', small)).toBe(true);
    expect(filters.apply('large', [small, big, small, big])).toEqual([big, big]);
    const passed: Event[] = [];
    for await (const one of filters.stream('large', stream([small, big]))) passed.push(one);
    expect(passed).toEqual([big]);
    expect(filters.matching(big)).toEqual(['large', 'late']);
    expect(filters.matching(small)).toEqual(['late']);
  });

  it('end the stream that they read where their reader leaves', async () => {
    const filters = new EventFilter();
    filters.add('all', () => true);
    let ended = false;
    async function* source() {
      try {
        for (;;) yield event();
      } finally {
        ended = true;
      }
    }
    for await (const one of filters.stream('all', source())) if (one) break;
    expect(ended).toBe(true);
  });

  it('are removed, and their names free again, while a stream keeps the filter that it began with', async () => {
    const filters = new EventFilter();
    filters.add('large', large);
    const begun = filters.stream('large', [event(), event({ data: { cart: { total: 100 } } })]);
    expect([filters.remove('large'), filters.remove('large')]).toEqual([true, false]);
    expect(filters.names).toEqual([]);
    expect(filters.matching(event({ data: { cart: { total: 100 } } }))).toEqual([]);
    filters.add('large', byType('page.viewed'));
    expect(filters.get('large')).toEqual({ type: ['page.viewed'] });
    expect((await begun.next()).value).toMatchObject({ data: { cart: { total: 100 } } });
  });

  it('refuse a name that is taken, missing or none, and what is no condition', () => {
    const filters = new EventFilter();
    filters.add('a', large);
    const refusals = [
      ['routing.conflict', () => filters.add('a', large)],
      ['routing.invalid', () => filters.add('', large)],
      ['routing.invalid', () => filters.add('b', null as never)],
      ['pattern.invalid', () => filters.add('b', { type: [] })],
      ['routing.unknown', () => filters.matches('b', event())],
      ['routing.unknown', () => filters.apply('b', [])],
      ['routing.unknown', () => filters.stream('b', [])],
    ] as const;
    for (const [code, act] of refusals) {
      let thrown: unknown;
      try {
        act();
      } catch (error) {
        thrown = error;
      }
      expect(hasCode(thrown, code), `${code}: ${act}`).toBe(true);
    }
    expect(filters.names).toEqual(['a']);
  });
});

describe('ready-made filters', () => {
  it('by type and source, to the letter or by *', () => {
    expect(passes(byType('page.viewed', 'order.placed'))).toBe(true);
    expect(passes(byType('order.*'))).toBe(true);
    expect(passes(byType('order'))).toBe(false);
    expect(passes(bySource('shop.*'))).toBe(true);
    expect(passes(bySource('shop'))).toBe(false);
    expect(passes(bySource('a\\b*'), { source: 'a\\bc' })).toBe(true);
  });

  it('by field, priority and time range, half open', () => {
    expect(passes(byField('cart.total', { numeric: ['>', 29] }, 'x'))).toBe(true);
    expect(passes(byField('cart.total', 31))).toBe(false);
    expect(
      [1, 2, 3, 4].map((priority) => passes(byPriority(2, 3), { priority: priority as 1 })),
    ).toEqual([false, true, true, false]);
    expect(passes(byPriority(3))).toBe(false);
    const times = [99, 100, 199, 200];
    expect(times.map((timestamp) => passes(byTime({ from: 100, to: 200 }), { timestamp }))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(times.map((timestamp) => passes(byTime({ from: 100 }), { timestamp }))).toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(times.map((timestamp) => passes(byTime({ to: 100 }), { timestamp }))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(() => byTime({})).toThrow('without an end');
  });

  it('all, any and not', () => {
    const [yes, no] = [byType('order.placed'), () => false];
    expect([passes(all(yes, yes)), passes(all(yes, no)), passes(all())]).toEqual([true, false, true]);
    expect([passes(any(no, yes)), passes(any(no, no)), passes(any())]).toEqual([true, false, false]);
    expect([passes(not(yes)), passes(not(no))]).toEqual([false, true]);
    expect(() => not('x' as never)).toThrow('must be a pattern or a function');
  });
});

async function* stream(events: readonly Event[]): AsyncGenerator<Event> {
  yield* events;
}
