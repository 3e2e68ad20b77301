import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { compileCondition } from '../../src/routing/condition.ts';
import { patternLimits, type Pattern } from '../../src/routing/pattern.ts';

function event(data: unknown, fields: Partial<Event> = {}): Event {
  const plain = { id: 'e-1', type: 'order.placed', source: 'shop', priority: 2, timestamp: 0 } as const;
  return makeEvent({ ...plain, data, ...fields });
}

const matches = (pattern: unknown, data: unknown, fields?: Partial<Event>): boolean =>
  compileCondition(pattern as Pattern)(event(data, fields));
const field = (matcher: unknown, value: unknown): boolean =>
  matches({ data: { a: [matcher] } }, { a: value });

describe('a matcher', () => {
  const cases: readonly (readonly [
    matcher: unknown,
    hits: readonly unknown[],
    misses: readonly unknown[],
  ])[] = [
    ['3', ['3', ['1', '3']], [3, '33', null, [], {}]],
    [3, [3, 3.0, [1, 3]], ['3', 30, null]],
    [null, [null, [null]], [0, '', 'null', [], {}]],
    [false, [false], [0, '', 'false', null]],
    [{ prefix: 'ab' }, ['ab', 'abc'], ['a', 'xab', 'AB', 3, null]],
    [{ prefix: { 'equals-ignore-case': 'aB' } }, ['AB', 'abc'], ['a', 'xab']],
    [{ suffix: '.png' }, ['.png', 'a.png'], ['a.PNG', 'png']],
    [{ suffix: { 'equals-ignore-case': '.png' } }, ['a.PNG'], ['png']],
    [{ 'equals-ignore-case': 'Alice' }, ['alice', 'ALICE'], ['alic', 'alices', 3]],
    [{ 'equals-ignore-case': 'ΟΔΟΣ' }, ['οδος', 'οδοσ'], ['οδο']],
    [{ wildcard: 'a*c*e' }, ['ace', 'abcde', 'accee'], ['ac', 'aec', 'ae', 'xace']],
    [{ wildcard: 'a*b*b' }, ['abb', 'axbyb'], ['ab', 'axb']],
    [{ wildcard: 'aa*aa' }, ['aaaa', 'aabaa'], ['aaa', 'aa']],
    [{ wildcard: 'a\\*\\\\*' }, ['a*\\', 'a*\\b'], ['ab\\', 'a*']],
    [
      { numeric: ['>', 1, '<=', 5] },
      [1.0000000000000002, 5, [0, 2]],
      [1, 5.000000000000001, '3', null, true],
    ],
    [{ numeric: ['<', 0] }, [-5e-324, -1], [0, -0, 1]],
    [{ numeric: ['=', 3.018e2] }, [301.8], ['301.8', 301]],
    [{ numeric: ['>=', 2, '<=', 2] }, [2], [1, 3]],
    [{ exists: true }, [1, null, '', false, [0]], [undefined, [], {}, { b: 1 }, [[]]]],
    [{ exists: false }, [undefined, [], {}, { b: 1 }, [[], {}]], [1, null, '', false, [0]]],
    [
      { cidr: '10.0.0.0/8' },
      ['10.1.2.3', '::ffff:10.1.2.3', '::FFFF:0a01:0203'],
      ['11.0.0.1', '10.0.0', '010.0.0.1', '10.0.0.256', '::a01:203', 'x', 10],
    ],
    [{ cidr: '::ffff:10.0.0.0/104' }, ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.1', '::a01:203']],
    [{ cidr: '10.0.0.77/24' }, ['10.0.0.1'], ['10.0.1.1']],
    [{ cidr: '0.0.0.0/0' }, ['255.255.255.255'], ['::1']],
    [
      { cidr: '2001:db8::/33' },
      ['2001:db8::1', '2001:0DB8:0:0:1::'],
      ['2001:db8:8000::', '2001:db8::1::', '1.2.3.4', 'fe80::1%eth0'],
    ],
    [{ cidr: '::/0' }, ['::1', '::'], ['1.2.3.4', '::ffff:1.2.3.4']],
    [{ 'anything-but': 'a' }, ['b', 1, null, false, ['a', 'b']], ['a', ['a', 'a'], undefined, [], {}]],
    [{ 'anything-but': [1, 2] }, [3, '1', null], [1, 2, undefined]],
    [{ 'anything-but': { prefix: ['a', 'b'] } }, ['c', 'xa', 5, null], ['a1', 'b', undefined]],
    [{ 'anything-but': { suffix: 'a' } }, ['ab'], ['ba', undefined]],
    [{ 'anything-but': { 'equals-ignore-case': ['a', 'B'] } }, ['c'], ['A', 'b', undefined]],
    [
      { 'anything-but': { wildcard: ['*/lib/*', '*.tmp'] } },
      ['/src/a'],
      ['/x/lib/y', 'a.tmp', undefined],
    ],
  ];
  for (const [matcher, hits, misses] of cases) {
    it(`${JSON.stringify(matcher)} matches what it says, and nothing near to it`, () => {
      for (const value of hits) expect(field(matcher, value), `hit ${JSON.stringify(value)}`).toBe(true);
      for (const value of misses)
        expect(field(matcher, value), `miss ${JSON.stringify(value)}`).toBe(false);
    });
  }

  it('is one of several: any of them is enough', () => {
    expect(matches({ data: { a: ['x', { exists: false }] } }, {})).toBe(true);
    expect(matches({ data: { a: ['x', { numeric: ['>', 1] }] } }, { a: 2 })).toBe(true);
    expect(matches({ data: { a: ['x', { numeric: ['>', 1] }] } }, { a: 1 })).toBe(false);
  });
});

describe('a pattern', () => {
  it('asks the attributes as they are on the wire', () => {
    const fields = {
      correlationId: 'c',
      causationId: 'k',
      subject: 's',
      priority: 4,
      timestamp: 1_767_225_600_000,
    } as const;
    const all = {
      id: ['e-1'],
      type: ['order.placed'],
      source: ['shop'],
      priority: [4],
      correlation_id: ['c'],
      causation_id: ['k'],
      subject: ['s'],
      timestamp: ['2026-01-01T00:00:00.000Z'],
    };
    expect(matches(all, null, fields)).toBe(true);
    for (const name of Object.keys(all))
      expect([name, matches({ ...all, [name]: ['other'] }, null, fields)]).toEqual([name, false]);
    expect(matches({ subject: [{ exists: false }] }, null)).toBe(true);
  });

  it('sees the timestamp as text, and as ms where it compares numbers', () => {
    const at = { timestamp: 1_767_225_600_000 };
    expect(matches({ timestamp: [{ prefix: '2026-01-01' }] }, null, at)).toBe(true);
    expect(
      matches({ timestamp: [{ numeric: ['>=', 1_767_225_600_000, '<', 1_767_225_600_001] }] }, null, at),
    ).toBe(true);
    expect(matches({ timestamp: [{ numeric: ['>', 1_767_225_600_000] }] }, null, at)).toBe(false);
    expect(
      matches({ timestamp: [{ numeric: ['>', 1_767_225_600_000] }, { prefix: '2026' }] }, null, at),
    ).toBe(true);
  });

  it('takes the key "a.b" for b inside of a, in the pattern and in the event', () => {
    for (const pattern of [
      { data: { 'a.b': [1] } },
      { data: { a: { b: [1] } } },
      { 'data.a.b': [1] },
      { 'data.a': { b: [1] } },
    ]) {
      expect(matches(pattern, { a: { b: 1 } })).toBe(true);
      expect(matches(pattern, { 'a.b': 1 })).toBe(true);
      expect(matches(pattern, { a: { b: 2 }, 'a.b': 1 })).toBe(true);
      expect(matches(pattern, { a: 1, b: 1 })).toBe(false);
    }
  });

  it('matches data that is no object', () => {
    expect(matches({ data: ['x'] }, 'x')).toBe(true);
    expect(matches({ data: ['x'] }, ['y', 'x'])).toBe(true);
    expect(matches({ data: { a: [1] } }, [{ a: 1 }])).toBe(true);
  });

  it('refuses fields of different elements of one array, at any depth', () => {
    const anna = { data: { people: { first: ['Anna'], last: ['Jones'] } } };
    const [john, smith, jones] = [
      { first: 'John', last: 'Doe' },
      { first: 'Anna', last: 'Smith' },
      { first: 'Peter', last: 'Jones' },
    ];
    expect(matches(anna, { people: [john, smith, jones] })).toBe(false);
    expect(matches(anna, { people: [john, { first: 'Anna', last: 'Jones' }] })).toBe(true);
    expect(matches(anna, { people: [[john, smith], [jones]] })).toBe(false);
    expect(matches(anna, { people: { first: ['Anna'], last: ['Jones', 'x'] } })).toBe(true);
    const deep = { data: { teams: { name: ['red'], people: { first: ['Anna'] } } } };
    expect(
      matches(deep, {
        teams: [
          { name: 'red', people: [jones] },
          { name: 'blue', people: [smith] },
        ],
      }),
    ).toBe(false);
    expect(matches(deep, { teams: [{ name: 'blue' }, { name: 'red', people: [jones, smith] }] })).toBe(
      true,
    );
  });

  it('lets fields of two arrays match through any element of each', () => {
    const pattern = { data: { a: { x: [1] }, b: { y: [2] } } };
    expect(matches(pattern, { a: [{ x: 1 }, { x: 0 }], b: [{ y: 0 }, { y: 2 }] })).toBe(true);
  });

  it('finds absence in the whole event, not in one element', () => {
    const pattern = { data: { a: { x: [1], y: [{ exists: false }] } } };
    expect(matches(pattern, { a: [{ x: 1 }, { x: 2, y: 3 }] })).toBe(false);
    expect(matches(pattern, { a: [{ x: 1 }, { x: 2 }] })).toBe(true);
  });

  it('multiplies $or out, nested and beside others', () => {
    const pattern = {
      type: ['order.placed'],
      $or: [{ source: ['other'] }, { data: { a: [1], $or: [{ b: [2] }, { c: [3] }] } }],
    };
    expect(matches(pattern, { a: 1, c: 3 })).toBe(true);
    expect(matches(pattern, { a: 1 })).toBe(false);
    expect(matches(pattern, {}, { source: 'other' })).toBe(true);
    expect(matches(pattern, { a: 1, b: 2 }, { type: 'order.paid' })).toBe(false);
    // A field beside an $or on the same field: both must hold, neither replaces the other.
    expect(
      matches(
        { data: { a: [{ prefix: 'x' }], $or: [{ a: [{ suffix: '1' }] }, { a: [{ suffix: '2' }] }] } },
        { a: 'y1' },
      ),
    ).toBe(false);
  });

  it('does not find what only a prototype has', () => {
    expect(matches({ data: { toString: [{ exists: true }] } }, {})).toBe(false);
    expect(matches(JSON.parse('{"data":{"__proto__":["x"]}}'), JSON.parse('{"__proto__":"x"}'))).toBe(
      true,
    );
  });

  it('reads each field of an event once, however many matchers ask for it', () => {
    let reads = 0;
    const data = {
      get a() {
        reads++;
        return 'x';
      },
    };
    const pattern = {
      $or: [
        { data: { a: ['1'] } },
        { data: { a: [{ prefix: '2' }] } },
        { data: { a: [{ 'anything-but': 'x' }] } },
      ],
    };
    const made = { ...event(null), data } as Event;
    reads = 0;
    expect(compileCondition(pattern as Pattern)(made)).toBe(false);
    expect(reads).toBe(1);
  });
});

describe('a malformed pattern is refused, with the path to what is wrong', () => {
  const many = (n: number): unknown[] => Array.from({ length: n }, (_, i) => ({ type: [`t.${i}`] }));
  let nested: unknown = ['x'];
  for (let i = 0; i < 100; i++) nested = { a: nested };
  const cases: readonly (readonly [name: string, pattern: unknown, path: string])[] = [
    ['no object', [], ''],
    ['no field', {}, ''],
    ['an object without a field', { data: {} }, '/data'],
    ['an attribute that there is not', { detail: ['x'] }, '/detail'],
    ['correlationId in camel case', { correlationId: ['x'] }, '/correlationId'],
    ['fields of an attribute', { type: { a: ['x'] } }, '/type'],
    ['a dotted attribute', { 'type.a': ['x'] }, '/type.a'],
    ['a bare value', { type: 'x' }, '/type'],
    ['undefined', { type: undefined }, '/type'],
    ['no matcher', { type: [] }, '/type'],
    ['a list in a list', { type: [['x']] }, '/type/0'],
    ['a value that is no JSON', { type: [Number.NaN] }, '/type/0'],
    ['an unknown operator', { data: { 'a/b': ['x', { prefx: 'x' }] } }, '/data/a~1b/1'],
    ['an operator of the prototype', { type: [{ toString: 'x' }] }, '/type/0'],
    ['two operators', { type: [{ prefix: 'x', suffix: 'y' }] }, '/type/0'],
    ['a prefix that is no text', { type: [{ prefix: 3 }] }, '/type/0/prefix'],
    ['a prefix of another operator', { type: [{ prefix: { wildcard: 'x' } }] }, '/type/0/prefix'],
    ['a reversed range', { priority: [{ numeric: ['>', 5, '<', 1] }] }, '/priority/0/numeric'],
    ['an empty range', { priority: [{ numeric: ['>', 5, '<', 5] }] }, '/priority/0/numeric'],
    [
      'an upper bound before the lower',
      { priority: [{ numeric: ['<', 5, '>', 1] }] },
      '/priority/0/numeric',
    ],
    ['two lower bounds', { priority: [{ numeric: ['>', 1, '>', 2] }] }, '/priority/0/numeric'],
    ['= with a second bound', { priority: [{ numeric: ['=', 1, '<', 2] }] }, '/priority/0/numeric'],
    ['an unknown comparison', { priority: [{ numeric: ['!=', 1] }] }, '/priority/0/numeric'],
    ['a comparison without a number', { priority: [{ numeric: ['>'] }] }, '/priority/0/numeric'],
    ['a comparison with text', { priority: [{ numeric: ['>', '1'] }] }, '/priority/0/numeric/1'],
    ['exists of no boolean', { type: [{ exists: 1 }] }, '/type/0/exists'],
    ['a block without a length', { type: [{ cidr: '10.0.0.1' }] }, '/type/0/cidr'],
    ['a block too long', { type: [{ cidr: '10.0.0.1/33' }] }, '/type/0/cidr'],
    ['a block of IPv4 inside IPv6 that is wider', { type: [{ cidr: '::ffff:0:0/95' }] }, '/type/0/cidr'],
    ['a block of no address', { type: [{ cidr: 'x/8' }] }, '/type/0/cidr'],
    ['two * in a row', { type: [{ wildcard: 'a**b' }] }, '/type/0/wildcard'],
    ['an escape of another character', { type: [{ wildcard: 'a\\b' }] }, '/type/0/wildcard'],
    ['an escape of nothing', { type: [{ wildcard: 'a\\' }] }, '/type/0/wildcard'],
    ['anything-but nothing', { type: [{ 'anything-but': [] }] }, '/type/0/anything-but'],
    ['anything-but of two kinds', { type: [{ 'anything-but': ['a', 1] }] }, '/type/0/anything-but/1'],
    ['anything-but null', { type: [{ 'anything-but': null }] }, '/type/0/anything-but'],
    [
      'anything-but an operator it does not take',
      { type: [{ 'anything-but': { numeric: ['>', 1] } }] },
      '/type/0/anything-but',
    ],
    [
      'anything-but an empty prefix',
      { type: [{ 'anything-but': { prefix: '' } }] },
      '/type/0/anything-but/prefix',
    ],
    ['$or that is no list', { $or: { type: ['x'] } }, '/$or'],
    ['$or of one', { $or: [{ type: ['x'] }] }, '/$or'],
    ['$or with an empty branch', { $or: [{ type: ['x'] }, {}] }, '/$or/1'],
    [
      '$or that multiplies out too far',
      { $or: many(40), data: { $or: many(40).map((_, i) => ({ a: [i] })) } },
      '/data/$or',
    ],
    ['a text too long', { type: ['x'.repeat(patternLimits.text + 1)] }, '/type/0'],
    [
      'too many matchers',
      { type: Array.from({ length: patternLimits.matchers + 1 }, (_, i) => `${i}`) },
      '/type',
    ],
    [
      'too many fields',
      { data: Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`f${i}`, [1]])) },
      '/data/f30',
    ],
    ['too deep', { data: nested }, `/data${'/a'.repeat(50)}`],
  ];
  for (const [name, pattern, path] of cases) {
    it(`${name}`, () => {
      let thrown: unknown;
      try {
        compileCondition(pattern as Pattern);
      } catch (error) {
        thrown = error;
      }
      expect(hasCode(thrown, 'pattern.invalid') && thrown.details.path).toBe(path);
      expect(() => structuredClone((thrown as { details: unknown }).details)).not.toThrow();
    });
  }

  it('and one at its limits is taken', () => {
    const fields = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, [1]]));
    expect(
      matches({ data: fields }, Object.fromEntries(Object.keys(fields).map((key) => [key, 1]))),
    ).toBe(true);
    expect(matches({ $or: many(patternLimits.alternatives) }, null, { type: 't.999' })).toBe(true);
    const values = Array.from({ length: patternLimits.matchers }, (_, i) => `${i}`);
    expect(matches({ type: values }, null, { type: '9999' })).toBe(true);
  });
});
