import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod/mini';
import {
  createEventFactory,
  decodeLine,
  defineEvents,
  encodeLine,
  fromWire,
  hasCode,
  hostPorts,
  toWire,
  type EventOf,
  type MillraceError,
} from 'millrace';

const shop = defineEvents({
  'page.viewed': z.object({ path: z.string() }),
  'order.placed': z.object({ orderId: z.string(), total: z.number().check(z.positive()) }),
});

const make = createEventFactory({ source: 'shop', ports: hostPorts, catalogue: shop });

/** The error of a call that must throw one of ours. */
function refusal(call: () => unknown): Pick<MillraceError, 'code' | 'details'> {
  try {
    call();
  } catch (error) {
    const { code, details } = error as MillraceError;
    return { code, details };
  }
  throw new Error('nothing was thrown');
}

describe('an event', () => {
  test('is filled in, and is the specification’s JSON on the wire', () => {
    const event = make(
      'order.placed',
      { orderId: 'o-1', total: 30 },
      { correlationId: 'visit-1', timestamp: 0 },
    );
    expect(toWire(event)).toEqual({
      id: event.id,
      type: 'order.placed',
      data: { orderId: 'o-1', total: 30 },
      timestamp: '1970-01-01T00:00:00.000Z',
      source: 'shop',
      priority: 2,
      correlation_id: 'visit-1',
    });
  });

  test('comes back from its line the same, and carries that line on unchanged', () => {
    const event = make(
      'page.viewed',
      { path: '/ü\n"' },
      { causationId: 'c', subject: 's', priority: 4 },
    );
    const line = encodeLine(event);
    expect(line).not.toContain('\n');
    expect(toWire(decodeLine(line))).toEqual(toWire(event));
    const foreign = line.replace('{"id"', '{ "unknown": 1, "id"');
    expect(encodeLine(decodeLine(foreign))).toBe(foreign);
    const broken = line.replace('{"id"', '{\n"id"');
    expect(encodeLine(decodeLine(broken))).toBe(line);
  });

  test('cannot be changed once it is made', () => {
    const event = make('page.viewed', { path: '/' });
    expect(() => Object.assign(event, { type: 'x' })).toThrow(TypeError);
    expect(() => Object.assign(event.data, { path: 'x' })).toThrow(TypeError);
  });

  test.each([
    ['/id', { id: '' }],
    ['/id', { id: 'x'.repeat(129) }],
    ['/type', { type: 7 }],
    ['/data', { data: undefined }],
    ['/timestamp', { timestamp: 'yesterday' }],
    ['/timestamp', { timestamp: 1_700_000_000_000 }],
    ['/source', { source: null }],
    ['/priority', { priority: 5 }],
    ['/priority', { priority: '2' }],
    ['/correlation_id', { correlation_id: 1 }],
    ['/causation_id', { causation_id: '' }],
    ['/subject', { subject: 'a\0b' }],
    ['/subject', { subject: '\ud800' }],
  ])('is refused on the wire with the pointer %s for %j', (path, change) => {
    const wire = { ...toWire(make('page.viewed', { path: '/' })), ...change };
    expect(refusal(() => fromWire(wire))).toMatchObject({ code: 'event.invalid', details: { path } });
  });

  test('is refused whole where it is no object, no JSON, or too long', () => {
    for (const wire of [null, [], 'event', 1]) {
      expect(refusal(() => fromWire(wire))).toMatchObject({
        code: 'event.invalid',
        details: { path: '/' },
      });
    }
    expect(refusal(() => decodeLine('{'))).toMatchObject({ code: 'event.invalid' });
    const long = make('page.viewed', { path: 'x'.repeat(300_000) });
    expect(refusal(() => encodeLine(long))).toMatchObject({
      code: 'limit.exceeded',
      details: { maximum: 262_144 },
    });
  });

  test('is refused where its data is no JSON, cyclic or too deep, by an error that can cross any boundary', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    let deep: unknown = 1;
    for (let i = 0; i < 101; i++) deep = [deep];
    for (const data of [cycle, deep, 1n, { n: 1n }, () => 1, Symbol('s'), undefined]) {
      const refused = refusal(() => encodeLine(make('stock.counted', data)));
      expect(structuredClone(refused)).toMatchObject({
        code: 'event.invalid',
        details: { path: '/data' },
      });
    }
  });

  test('takes null in an optional field for its absence', () => {
    const wire = { ...toWire(make('page.viewed', { path: '/' })), correlation_id: null, priority: null };
    expect(fromWire(wire)).toMatchObject({ correlationId: undefined, priority: 2 });
  });
});

describe('a catalogue', () => {
  test('types the data, and checks it by its schema with the pointer into it', () => {
    expectTypeOf<EventOf<typeof shop>['type']>().toEqualTypeOf<'page.viewed' | 'order.placed'>();
    const refused = refusal(() => make('order.placed', { orderId: 'o', total: -1 }));
    expect(refused).toMatchObject({ code: 'event.invalid', details: { path: '/data/total' } });
  });

  test('lets unknown types pass, unless it is strict', () => {
    expect(make('stock.counted', [1]).data).toEqual([1]);
    const strict = defineEvents({ 'page.viewed': z.object({}) }, { strict: true });
    const refused = refusal(() => strict.check('stock.counted', {}));
    expect(refused).toEqual({ code: 'catalogue.unknown-type', details: { type: 'stock.counted' } });
  });

  test.each(['viewed', 'Page.viewed', 'page..viewed', 'page.', '.viewed', 'page viewed'])(
    'enforces {domain}.{action}: %j is no type',
    (type) => {
      const refused = refusal(() => defineEvents({ [type]: z.object({}) } as never));
      expect(refused).toMatchObject({ code: 'catalogue.invalid', details: { type } });
    },
  );

  test('refuses a schema that only answers asynchronously, and one that is none', () => {
    const later = {
      '~standard': { version: 1, vendor: 'x', validate: async () => ({ value: 1 }) },
    } as const;
    const catalogue = defineEvents({ 'page.viewed': later });
    expect(refusal(() => catalogue.check('page.viewed', {}))).toMatchObject({
      code: 'catalogue.invalid',
    });
    expect(refusal(() => defineEvents({ 'page.viewed': {} as never }))).toMatchObject({
      code: 'catalogue.invalid',
    });
  });
});

test('an error is known by its code after it crossed a boundary', () => {
  const error = refusal(() => fromWire({}));
  expect(hasCode(structuredClone(error), 'event.invalid')).toBe(true);
  expect(hasCode(new Error('event.invalid'), 'event.invalid')).toBe(false);
});
