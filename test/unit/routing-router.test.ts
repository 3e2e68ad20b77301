import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { EventRouter, type EventRouterOptions } from '../../src/routing/event-router.ts';
import type { DeadLetter } from '../../src/storage/dead-letters/dead-letter.ts';
import { MemoryDeadLetters } from '../../src/storage/dead-letters/memory-dead-letters.ts';
import type { RoutingRule } from '../../src/routing/routing-rule.ts';
import type { DispatchContext, Target } from '../../src/routing/target.ts';

let made = 0;
function event(fields: Partial<Event> = {}): Event {
  const plain = {
    id: `e-${++made}`,
    type: 'order.placed',
    source: 'shop',
    priority: 2,
    timestamp: 0,
    data: {},
  } as const;
  return makeEvent({ ...plain, ...fields });
}

/** A clock that stands still until it is moved. */
function testPorts() {
  const timers = new Set<{ at: number; callback: () => void }>();
  let now = 1000;
  return {
    now: () => now,
    after(delayMs: number, callback: () => void) {
      const timer = { at: now + delayMs, callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    pass(ms: number) {
      now += ms;
      for (const timer of [...timers]) if (timer.at <= now && timers.delete(timer)) timer.callback();
    },
    get waiting() {
      return timers.size;
    },
  };
}

const placed = { type: ['order.placed'] } as const;
function router(rules: readonly RoutingRule[], options: EventRouterOptions = {}): EventRouter {
  const made = new EventRouter({ onWarning: () => undefined, ...options });
  made.addRules(rules);
  return made;
}
function refusal(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('it was not refused');
}

describe('routing', () => {
  it('gives the targets of matching rules, highest priority first, then by age, each once', () => {
    const routed = router([
      { id: 'a', condition: placed, target: 'first' },
      { id: 'b', target: 'second', priority: 5 },
      { id: 'c', condition: placed, target: 'third', priority: 5 },
      { id: 'd', condition: { type: ['order.paid'] }, target: 'no', priority: 9 },
      { id: 'e', condition: placed, target: 'second', priority: -1 },
      { id: 'f', target: 'fourth', priority: -0.5 },
    ]);
    expect(routed.routeEvent(event())).toEqual(['second', 'third', 'first', 'fourth']);
    expect(routed.match(event()).map((rule) => rule.id)).toEqual(['b', 'c', 'a', 'f', 'e']);
  });

  it('asks the source to the letter, and functions once the rest holds', () => {
    const asked: string[] = [];
    const routed = router([
      { id: 'a', source: 'shop', target: 'a' },
      { id: 'b', source: 'sho', target: 'b' },
      {
        id: 'c',
        source: 'shop',
        condition: (one) => (asked.push(one.id), one.subject === 's'),
        target: 'c',
      },
      { id: 'd', source: 'other', condition: (one) => (asked.push(one.id), true), target: 'd' },
    ]);
    const [yes, no] = [event({ subject: 's' }), event()];
    expect(routed.routeEvent(yes)).toEqual(['a', 'c']);
    expect(routed.routeEvent(no)).toEqual(['a']);
    expect(asked).toEqual([yes.id, no.id]);
  });

  it('goes on where a rule’s function throws, and tells it', () => {
    const errors: unknown[] = [];
    const defect = new Error('defect');
    const bad = (): boolean => {
      throw defect;
    };
    const routed = router(
      [
        { id: 'a', condition: bad, target: 'a' },
        { id: 'b', target: 'b' },
      ],
      {
        onError: (error, rule) => errors.push([error, rule?.id]),
      },
    );
    expect(routed.routeEvent(event())).toEqual(['b']);
    expect(errors).toEqual([[defect, 'a']]);
  });

  it('lets a function change the rules and route while it is asked', () => {
    const routed: EventRouter = router([{ id: 'z', condition: placed, target: 'z', priority: -1 }]);
    let depth = 0;
    const inner: unknown[] = [];
    const condition = (one: Event): boolean => {
      if (depth++ === 0) {
        inner.push(...routed.routeEvent(one));
        routed.removeRule('z');
        routed.addRule({ id: 'y', condition: placed, target: 'y' });
      }
      return true;
    };
    routed.addRule({ id: 'a', condition, target: 'a' });
    expect(routed.routeEvent(event())).toEqual(['a', 'z']);
    expect(inner).toEqual(['a', 'z']);
    expect(routed.routeEvent(event())).toEqual(['a', 'y']);
  });

  it('keeps the rules on a field inside of one that no rule asks for any more', () => {
    const routed = router([
      { id: 'outer', condition: { data: { a: [1] } }, target: 'outer' },
      { id: 'inner', condition: { data: { a: { b: [1] } } }, target: 'inner' },
    ]);
    routed.removeRule('outer');
    expect(routed.routeEvent(event({ data: { a: { b: 1 } } }))).toEqual(['inner']);
  });

  it('does not take a * that is escaped for one that is not', () => {
    const but = (wildcard: string) =>
      ({ source: ['shop'], data: { a: [{ 'anything-but': { wildcard } }] } }) as const;
    const routed = router([
      { id: 'star', condition: but('a*'), target: 'star' },
      { id: 'literal', condition: but('a\\*'), target: 'literal' },
    ]);
    expect(routed.routeEvent(event({ data: { a: 'ab' } }))).toEqual(['literal']);
  });

  it('names the rules that an event of a type may match', () => {
    const routed = router([
      { id: 'a', condition: { type: [{ prefix: 'order.' }], data: { x: [1] } }, target: 'a' },
      { id: 'b', condition: { type: ['page.viewed'] }, target: 'b' },
      {
        id: 'c',
        condition: { $or: [{ type: ['order.placed'] }, { type: ['order.paid'] }] },
        target: 'c',
        priority: 1,
      },
      { id: 'd', condition: () => false, target: 'd' },
    ]);
    expect(routed.getRoutesForEventType('order.placed').map((rule) => rule.id)).toEqual(['c', 'a', 'd']);
    expect(routed.getRoutesForEventType('page.viewed').map((rule) => rule.id)).toEqual(['b', 'd']);
  });

  it('warns of a rule that can only be scanned, and of no other', () => {
    const warned: string[] = [];
    router(
      [
        { id: 'exact', condition: placed, target: 't' },
        { id: 'everything', target: 't' },
        { id: 'from', source: 'shop', condition: () => true, target: 't' },
        { id: 'head', condition: { type: [{ wildcard: 'order.*' }] }, target: 't' },
        { id: 'tail', condition: { type: [{ wildcard: '*.placed' }] }, target: 't' },
        { id: 'function', condition: () => true, target: 't' },
        { id: 'but', condition: { type: [{ 'anything-but': 'x' }] }, target: 't' },
        { id: 'exists', condition: { subject: [{ exists: true }] }, target: 't' },
        { id: 'middle', condition: { type: [{ wildcard: '*a*' }] }, target: 't' },
        { id: 'one of two', condition: { type: ['x', { exists: false }] }, target: 't' },
        {
          id: 'one branch',
          condition: { $or: [{ type: ['x'] }, { subject: [{ exists: true }] }] },
          target: 't',
        },
      ],
      { onWarning: ({ rule, message }) => warned.push(message.includes(rule.id) ? rule.id : '?') },
    );
    expect(warned).toEqual(['function', 'but', 'exists', 'middle', 'one of two', 'one branch']);
  });

  it('explains which rules match, and the first condition that fails with what is there', () => {
    const defect = new Error('defect');
    const routed = router([
      { id: 'yes', condition: placed, target: 't' },
      { id: 'source', source: 'other', condition: placed, target: 't' },
      {
        id: 'data',
        condition: {
          type: ['order.placed'],
          data: { total: [{ numeric: ['>', 100] }], country: ['CH'] },
        },
        target: 't',
      },
      { id: 'absent', condition: { data: { 'cart.id': [{ exists: true }] } }, target: 't' },
      {
        id: 'or',
        condition: { $or: [{ type: ['x.y'] }, { type: ['order.placed'], data: { country: ['CH'] } }] },
        target: 't',
      },
      { id: 'array', condition: { data: { items: { sku: ['a'], count: [2] } } }, target: 't' },
      { id: 'function', condition: () => false, target: 't', priority: 1 },
      {
        id: 'error',
        condition: () => {
          throw defect;
        },
        target: 't',
      },
    ]);
    const data = {
      total: 30,
      country: 'AT',
      items: [
        { sku: 'a', count: 1 },
        { sku: 'b', count: 2 },
      ],
    };
    const told = routed
      .explain(event({ data }))
      .map(({ rule, matched, failed }) => [rule.id, matched, failed]);
    expect(told).toEqual([
      ['function', false, { reason: 'function' }],
      ['yes', true, undefined],
      ['source', false, { reason: 'field', path: 'source', actual: ['shop'] }],
      ['data', false, { reason: 'field', path: 'data.total', actual: [30] }],
      ['absent', false, { reason: 'field', path: 'data.cart.id', actual: [] }],
      ['or', false, { reason: 'field', path: 'data.country', actual: ['AT'] }],
      ['array', false, { reason: 'array' }],
      ['error', false, { reason: 'error', error: defect }],
    ]);
  });
});

describe('bad input is refused, and changes nothing', () => {
  const cases: readonly (readonly [name: string, rule: unknown, path: string])[] = [
    ['no rule', null, ''],
    ['no id', { target: 't' }, '/id'],
    ['an empty id', { id: '', target: 't' }, '/id'],
    ['no target', { id: 'x' }, '/target'],
    ['a target that is no name', { id: 'x', target: () => undefined }, '/target'],
    ['a source that is no text', { id: 'x', target: 't', source: 3 }, '/source'],
    ['a condition that is none', { id: 'x', target: 't', condition: 'type' }, '/condition'],
    ['null for a condition', { id: 'x', target: 't', condition: null }, '/condition'],
    ['a priority that is no number', { id: 'x', target: 't', priority: '1' }, '/priority'],
    ['a priority that is not finite', { id: 'x', target: 't', priority: Number.NaN }, '/priority'],
    ['a timeout of nothing', { id: 'x', target: 't', timeoutMs: 0 }, '/timeoutMs'],
    ['a timeout beyond timers', { id: 'x', target: 't', timeoutMs: 2 ** 31 }, '/timeoutMs'],
    ['a description that is no text', { id: 'x', target: 't', description: 1 }, '/description'],
  ];
  for (const [name, rule, path] of cases) {
    it(`${name}`, () => {
      const routed = router([]);
      const error = refusal(() => routed.addRule(rule as RoutingRule));
      expect(hasCode(error, 'routing.invalid') && error.details.path).toBe(path);
      expect(routed.rules).toEqual([]);
    });
  }

  it('an id that is taken', () => {
    const routed = router([{ id: 'a', target: 't' }]);
    const error = refusal(() => routed.addRule({ id: 'a', target: 'u' }));
    expect(hasCode(error, 'routing.conflict') && error.details.name).toBe('a');
    expect(routed.routeEvent(event())).toEqual(['t']);
  });

  it('a bad pattern, naming the rule', () => {
    const condition = { type: [{ prefx: 'x' }] } as never;
    const error = refusal(() => router([{ id: 'a', condition, target: 't' }]));
    expect(hasCode(error, 'pattern.invalid') && error.details).toMatchObject({
      path: '/type/0',
      rule: 'a',
    });
  });

  it('many rules of which one is bad: none is added', () => {
    const routed = router([{ id: 'a', target: 't' }]);
    refusal(() =>
      routed.addRules([
        { id: 'b', target: 'u' },
        { id: 'a', target: 'v' },
      ]),
    );
    expect(routed.rules.map((rule) => rule.id)).toEqual(['a']);
    expect(routed.routeEvent(event())).toEqual(['t']);
  });

  it('a target that is no function and has no method, or a name that is taken', () => {
    for (const target of [undefined, null, 3, {}, { handle: 1 }]) {
      const error = refusal(() => new EventRouter({ targets: { t: target as never } }));
      expect(hasCode(error, 'routing.invalid')).toBe(true);
    }
    const routed = new EventRouter({ targets: { t: () => undefined } });
    expect(
      hasCode(
        refusal(() => routed.addTarget('t', () => undefined)),
        'routing.conflict',
      ),
    ).toBe(true);
  });

  it('bounds that are none, and JSON that holds no rules', () => {
    for (const options of [{ maxHops: -1 }, { maxHops: 1.5 }, { maxHops: Number.NaN }])
      expect(
        hasCode(
          refusal(() => new EventRouter(options)),
          'routing.invalid',
        ),
      ).toBe(true);
    for (const saved of [null, undefined, 3, {}, { rules: {} }, { rules: [null] }])
      expect(
        hasCode(
          refusal(() => EventRouter.fromJSON(saved)),
          'routing.invalid',
        ),
      ).toBe(true);
  });

  it('a function to be saved as JSON, naming the rule', () => {
    const routed = router([
      { id: 'a', target: 't' },
      { id: 'b', condition: () => true, target: 't' },
    ]);
    const error = refusal(() => JSON.stringify(routed));
    expect(hasCode(error, 'routing.invalid') && error.details.path).toBe('/rules/1/condition');
    expect((error as Error).message).toContain('"b"');
  });

  it('all of a rule goes through JSON', () => {
    const rule = {
      id: 'a',
      source: 's',
      condition: placed,
      target: 't',
      priority: 2,
      timeoutMs: 5,
      description: 'd',
    };
    const loaded = EventRouter.fromJSON(JSON.parse(JSON.stringify(router([rule]))));
    expect(loaded.rules).toEqual([rule]);
  });
});

describe('dispatch', () => {
  it('answers at once where all targets do, to functions, handlers, sinks and topics', () => {
    const got: unknown[] = [];
    const targets: Record<string, Target> = {
      function: (one, { rule }) => got.push(['function', one.id, rule.id]),
      handler: { handle: (one) => got.push(['handler', one.id]) },
      sink: { write: (one) => got.push(['sink', one.id]) },
    };
    const topics = { publish: (topic: string, one: Event) => got.push([topic, one.id]) };
    const rules = ['function', 'handler', 'sink', 'topic:orders'].map((target) => ({
      id: `to ${target}`,
      target,
    }));
    const routed = router(rules, { targets, topics });
    const one = event();
    const report = routed.dispatch(one);
    expect(report).toMatchObject(rules.map(({ target }) => ({ target, ok: true })));
    expect(got).toEqual([
      ['function', one.id, 'to function'],
      ['handler', one.id],
      ['sink', one.id],
      ['orders', one.id],
    ]);
  });

  it('gives a target the event once, by the highest rule that names it', () => {
    const rules: string[] = [];
    const routed = router(
      [
        { id: 'low', target: 't' },
        { id: 'high', target: 't', priority: 1 },
      ],
      {
        targets: { t: (_, { rule }) => rules.push(rule.id) },
      },
    );
    expect(routed.dispatch(event())).toHaveLength(1);
    expect(rules).toEqual(['high']);
  });

  it('starts all in order and lets none wait for another', async () => {
    const order: string[] = [];
    const first = Promise.withResolvers<void>();
    const targets = {
      slow: async () => {
        order.push('slow');
        await first.promise;
        order.push('slow ends');
      },
      quick: () => order.push('quick'),
    };
    const routed = router(
      [
        { id: 'a', target: 'slow', priority: 1 },
        { id: 'b', target: 'quick' },
      ],
      { targets },
    );
    const report = routed.dispatch(event());
    expect(order).toEqual(['slow', 'quick']);
    first.resolve();
    expect((await report).map(({ target, ok }) => [target, ok])).toEqual([
      ['slow', true],
      ['quick', true],
    ]);
    expect(order).toEqual(['slow', 'quick', 'slow ends']);
  });

  it('makes a dead letter of what throws, rejects, or has no target, and delivers the rest', async () => {
    const told: DeadLetter[] = [];
    const [thrown, rejected] = [new TypeError('thrown'), new Error('rejected')];
    const got: Event[] = [];
    const targets: Record<string, Target> = {
      throws: () => {
        throw thrown;
      },
      rejects: () => Promise.reject(rejected),
      works: (one) => got.push(one),
    };
    const ports = testPorts();
    const routed = router(
      ['throws', 'rejects', 'missing', 'topic:none', 'works'].map((target) => ({ id: target, target })),
      { targets, ports },
    );
    routed.deadLetters.onAdded((letter) => told.push(letter));
    const one = event();
    const report = await routed.dispatch(one);
    expect(report.map(({ ok }) => ok)).toEqual([false, false, false, false, true]);
    expect(got).toEqual([one]);
    const letters = await routed.deadLetters.list();
    expect(new Set(letters)).toEqual(new Set(told));
    expect(letters.map(({ where, reason }) => [where.detail, reason.code])).toEqual([
      ['missing', 'routing.unknown'],
      ['rejects', 'failed'],
      ['throws', 'failed'],
      ['topic:none', 'routing.unknown'],
    ]);
    expect(letters[2]).toEqual({
      id: `${one.id}/throws`,
      where: { part: 'router', name: 'throws', detail: 'throws' },
      reason: {
        name: 'MillraceError',
        code: 'failed',
        message: 'thrown',
        details: { error: 'TypeError' },
      },
      ...{ event: one, attempts: 1, firstAt: 1000, lastAt: 1000 },
    });
  });

  it('holds each target to its rule’s time, aborts its signal, and takes what comes later for no news', async () => {
    const ports = testPorts();
    const late = Promise.withResolvers<void>();
    let context: DispatchContext | undefined;
    const targets: Record<string, Target> = {
      late: (_, given) => ((context = given), late.promise),
      intime: () => Promise.resolve(),
    };
    const routed = router(
      [
        { id: 'a', target: 'late', timeoutMs: 50 },
        { id: 'b', target: 'intime', timeoutMs: 50 },
      ],
      { targets, ports },
    );
    const report = routed.dispatch(event());
    ports.pass(49);
    await Promise.resolve();
    expect(context?.signal.aborted).toBe(false);
    expect(ports.waiting).toBe(1);
    ports.pass(1);
    const [first, second] = await report;
    expect(first?.ok === false && hasCode(first.error, 'timeout') && first.error.details.timeoutMs).toBe(
      50,
    );
    expect(second?.ok).toBe(true);
    expect(context?.signal.aborted).toBe(true);
    late.reject(new Error('too late'));
    await Promise.resolve();
    expect(routed.deadLetters.count()).toBe(1);
    expect(ports.waiting).toBe(0);
  });

  it('brings a dead letter that is driven again to the target of its rule, as that is now', async () => {
    const got: [string, Event][] = [];
    const target = (name: string) => (one: Event) => void got.push([name, one]);
    const routed = router([{ id: 'a', target: 'none' }], { targets: { other: target('other') } });
    const [one, two] = [event(), event()];
    for (const each of [one, two]) void routed.dispatch(each);
    expect(await routed.deadLetters.redrive()).toEqual({ redriven: 0, failed: 2 });
    expect(await routed.deadLetters.list()).toMatchObject([{ attempts: 2 }, { attempts: 2 }]);
    routed.removeRule('a');
    expect(await routed.deadLetters.redrive()).toEqual({ redriven: 0, failed: 2 });
    routed.addRule({ id: 'a', target: 'other' });
    expect(await routed.deadLetters.redrive()).toEqual({ redriven: 2, failed: 0 });
    expect(got.map(([name, { id }]) => [name, id]).toSorted()).toEqual(
      [one, two].map(({ id }) => ['other', id]).toSorted(),
    );
    expect(await routed.deadLetters.count()).toBe(0);
  });

  it('goes on where a dead letter cannot be kept', () => {
    const errors: unknown[] = [];
    const routed = router(
      [
        { id: 'a', target: 'none' },
        { id: 'b', target: 'works' },
      ],
      {
        targets: { works: () => undefined },
        deadLetters: Object.assign(new MemoryDeadLetters(), {
          add() {
            throw new Error('defect');
          },
        }),
        onError: (error) => errors.push(error),
      },
    );
    expect(routed.dispatch(event())).toMatchObject([{ ok: false }, { ok: true }]);
    expect(errors).toHaveLength(1);
  });

  it('cuts a loop of events that cause one another, after so many hops', () => {
    const hops: number[] = [];
    const routed: EventRouter = router([{ id: 'a', target: 't' }], {
      maxHops: 5,
      targets: {
        t: (one, context) => {
          hops.push(context.hops);
          void routed.dispatch(event({ causationId: one.id }));
        },
      },
    });
    void routed.dispatch(event());
    expect(hops).toEqual([0, 1, 2, 3, 4, 5]);
    const [letter] = routed.deadLetters.list() as readonly DeadLetter[];
    expect(hasCode(letter?.reason, 'limit.exceeded') && letter.reason.details).toEqual({
      limit: 'routing.hops',
      maximum: 5,
      actual: 6,
    });
  });

  it('remembers the last 10,000 events dispatched, and forgets those before', () => {
    const hops = new Map<string, number>();
    const targets: Record<string, Target> = { t: (one, context) => hops.set(one.id, context.hops) };
    const routed = router([{ id: 'a', target: 't' }], { targets });
    const cause = event();
    void routed.dispatch(cause);
    for (let i = 0; i < 9999; i++) void routed.dispatch(event());
    const [known, forgotten] = [event({ causationId: cause.id }), event({ causationId: cause.id })];
    void routed.dispatch(known);
    void routed.dispatch(forgotten);
    expect([hops.get(known.id), hops.get(forgotten.id)]).toEqual([1, 0]);
  });

  it('cuts a loop of one event that comes back, and lets who knows better say so', () => {
    let deliveries = 0;
    const routed: EventRouter = router([{ id: 'a', target: 't' }], {
      maxHops: 3,
      targets: { t: () => deliveries++ },
    });
    const one = event();
    for (let i = 0; i < 10; i++) void routed.dispatch(one);
    expect(deliveries).toBe(4);
    void routed.dispatch(one, { hops: 0 });
    expect(deliveries).toBe(5);
    void routed.dispatch(event(), { hops: 4 });
    expect(deliveries).toBe(5);
  });
});
