/**
 * The fast answer and the slow one are one truth: what is found sound in one pass is what the schema and the model find
 * sound, and what is stored of it is the same line.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkEvent, explainEvent } from '../../workers/edge/checked-event.ts';
import type { BroughtEvent } from '../../workers/edge/published-body.ts';
import { checkLine, explainLine, hasPlainKeys } from '../../workers/edge/pushed-line.ts';
import { isSoundEvent } from '../../workers/edge/sound-event.ts';

const RUNS = 4000;
const defaults = {
  nextId: () => '01890a5d-ac96-774b-bcce-b302099a8057',
  now: 1_700_000_000_123,
  traceparent: undefined,
};

const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Each field's values at and around its bounds. */
const edges: Readonly<Record<string, readonly unknown[]>> = {
  id: ['a', 'x'.repeat(128), 'x'.repeat(129), '', '.', '..', 'live', 'a\0b', '\ud800', null, 7, [], {}],
  type: ['order.placed', 'x'.repeat(256), 'x'.repeat(257), '', '.', '..', 'a\0', null, 1, true],
  data: [null, 0, -0, '', false, [], {}, { __proto__: 1 }, [[1, [Infinity]]], { a: { b: -Infinity } }],
  timestamp: [
    ...[
      '2026-01-31T09:30:00.000Z',
      '2026-01-31T09:30:00Z',
      '2026-01-31 09:30',
      '2026-01-31t09:30:01.5+02:00',
    ],
    ...[
      '2026-02-30T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
      '0000-01-01T00:00:00.000Z',
      '1969-12-31T23:59:59.001Z',
    ],
    ...[
      '2023-11-14T22:13:20.12aZ',
      '2023-11-14T22:13:20.123z',
      '9999-12-31T23:59:59-10:00',
      'now',
      '',
      null,
      1,
      {},
    ],
  ],
  source: ['page', 'x'.repeat(1024), 'x'.repeat(1025), '', 'a\udc00', null, 0],
  priority: [1, 2, 3, 4, 0, 5, 1.5, '2', null, NaN, true],
  correlation_id: ['c', 'x'.repeat(256), 'x'.repeat(257), '', '.', '..', null, 1, []],
  causation_id: ['c', 'x'.repeat(128), 'x'.repeat(129), '', '.', null, 1],
  subject: ['cart-1', 'x'.repeat(512), 'x'.repeat(513), '', null, 1],
  traceparent: [trace, trace.toUpperCase(), `${trace}0`, trace.replace('00-', '01-'), '', null, 1],
  unknown: ['kept by nobody', null],
};

const plain: Readonly<Record<string, unknown>> = {
  id: 'e-1',
  type: 'page.viewed',
  data: { path: '/' },
  timestamp: '2026-01-31T09:30:00.000Z',
  source: 'page',
};

function nested(depth: number): unknown {
  let data: unknown = 1;
  for (let i = 0; i < depth; i++) data = i % 2 === 0 ? { data } : [data];
  return data;
}

const deep = fc.integer({ min: 97, max: 103 }).map(nested);
const long = fc.integer({ min: 262_000, max: 262_200 }).map((length) => 'x'.repeat(length));
const field = fc
  .constantFrom(...Object.keys(edges))
  .chain((name) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(...edges[name]!) },
        { weight: 2, arbitrary: fc.jsonValue() },
        { weight: 1, arbitrary: name === 'data' ? fc.oneof(deep, long) : fc.string({ unit: 'binary' }) },
      ),
    ),
  );
const made = fc
  .tuple(fc.array(field, { maxLength: 4 }), fc.subarray(Object.keys(plain), { minLength: 3 }))
  .map(([fields, kept]) =>
    Object.fromEntries([...kept.map((name) => [name, plain[name]] as const), ...fields]),
  );
const anything = fc.oneof({ weight: 9, arbitrary: made }, { weight: 1, arbitrary: fc.jsonValue() });

function brought(value: unknown): BroughtEvent {
  return { pointer: '', value, own: (pointer) => pointer };
}

/** JSON of an object, with some of its keys a second time. */
function withRepeats(value: unknown, repeats: readonly (readonly [string, unknown])[]): string {
  const json = JSON.stringify(value);
  if (repeats.length === 0 || !json.startsWith('{') || json === '{}') return json;
  const more = repeats.map(([key, again]) => `${JSON.stringify(key)}:${JSON.stringify(again) ?? '1'}`);
  return `${json.slice(0, -1)},${more.join(',')}}`;
}

describe('an event is found sound fast as it is found sound slowly', () => {
  it('where it is published', () => {
    let sound = 0;
    const property = fc.property(anything, (value) => {
      const slow = explainEvent(brought(value), defaults);
      expect(checkEvent(brought(value), defaults)).toEqual(slow);
      const isStored = 'line' in slow;
      if (isStored) sound++;
      expect(isSoundEvent(value) || !isStored).toBe(true);
    });
    fc.assert(property, { numRuns: RUNS });
    expect(sound).toBeGreaterThan(RUNS / 20);
  });

  it('with whatever JSON.parse makes of a text', () => {
    const texts = [
      '{"__proto__":{"type":"a","source":"b","data":1}}',
      '{"type":"a","source":"b","data":{"__proto__":1e400}}',
    ];
    for (const text of texts) {
      const value: unknown = JSON.parse(text);
      expect(checkEvent(brought(value), defaults)).toEqual(explainEvent(brought(value), defaults));
    }
  });

  it('with keys that stand twice, at any depth', () => {
    const key = fc.constantFrom('id', 'data', 'x', '__proto__', 'a"b', 'a\\', ':', 'é', '');
    const scalar = fc.constantFrom('1', 'null', '"a:b"', '"\\\\"', '"\\":"', '"\\u0022:"', '[]', '{}');
    interface Text {
      readonly json: string;
      readonly plain: boolean;
    }
    const { object } = fc.letrec<{ value: Text; object: Text }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        scalar.map((json) => ({ json, plain: true })),
        tie('object'),
        fc.array(tie('value'), { maxLength: 3 }).map((all) => ({
          json: `[${all.map(({ json }) => json).join(' ,')}]`,
          plain: all.every(({ plain }) => plain),
        })),
      ),
      object: fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => ({
        json: `{${entries.map(([name, { json }]) => `${JSON.stringify(name)} : ${json}`).join(', ')}}`,
        plain:
          new Set(entries.map(([name]) => name)).size === entries.length &&
          entries.every(([, { plain }]) => plain),
      })),
    }));
    const property = fc.property(object, ({ json, plain }) => {
      expect(hasPlainKeys(`{"data":${json}}`)).toBe(plain);
    });
    fc.assert(property, { numRuns: RUNS });
    expect(hasPlainKeys('{"id":"a","other":1}')).toBe(false);
  });

  it('where it is a line of a push, and the line stays as it came', () => {
    let sound = 0;
    const spaces = fc.constantFrom('', ' ', '\t', '\r');
    const property = fc.property(
      anything,
      fc.array(field, { maxLength: 2 }).chain((repeats) => fc.subarray(repeats)),
      spaces,
      (value, repeats, space) => {
        const line = (withRepeats(value, repeats) ?? 'none') + space;
        const slow = explainLine(line);
        expect(checkLine(line)).toEqual(slow);
        if ('line' in slow) sound++;
      },
    );
    fc.assert(property, { numRuns: RUNS });
    expect(sound).toBeGreaterThan(RUNS / 40);
  });
});
