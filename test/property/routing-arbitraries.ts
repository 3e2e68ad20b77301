/** Events and patterns from a world so small that they meet often, and miss each other by a little. */
import fc from 'fast-check';
import { makeEvent, type Event } from '../../src/event/event.ts';
import type { Pattern } from '../../src/routing/pattern.ts';
import { view } from './routing-oracle.ts';

const texts = [
  '',
  'a',
  'ab',
  'aB',
  'abc',
  'AB',
  'b',
  'ba',
  'σς',
  'ΣΣ',
  '3',
  'a*b',
  '10.0.0.1',
  '10.1.0.1',
  '::ffff:10.0.0.9',
  '2001:db8::1',
  'a.b',
];
const numbers = [0, -0, 1, 1.5, 2, 3, -1, 3.0000000000000004, 1e21];
const keys = ['a', 'b', 'c', 'a.b', '__proto__'];
const words = ['order.placed', 'order.paid', 'page.viewed'];

const text = fc.constantFrom(...texts);
const number = fc.constantFrom(...numbers);
const leaf = fc.oneof(text, number, fc.constantFrom(true, false, null));

/** Arrays in arrays make the choices of elements that the oracle tries: some dozens are enough. */
const MAX_CHOICES = 30;

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', maxDepth: 4 },
    leaf,
    fc.array(leaf, { maxLength: 3 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(objectOf(leaf), { minLength: 2, maxLength: 3 }),
    objectOf(tie('value')),
  ),
}));

function objectOf(inner: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc
    .uniqueArray(fc.tuple(fc.constantFrom(...keys), inner), { selector: ([key]) => key, maxLength: 4 })
    .map((entries) =>
      JSON.parse(
        `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(one)}`).join()}}`,
      ),
    );
}

export const event: fc.Arbitrary<Event> = fc
  .record({
    type: fc.constantFrom(...words),
    source: fc.constantFrom('shop', 'shop.web'),
    priority: fc.constantFrom(1, 2, 3, 4),
    subject: fc.option(fc.constantFrom('o-1', 'o-2'), { nil: undefined }),
    timestamp: fc.constantFrom(0, 1, 1_767_225_600_000),
    data: fc.oneof({ weight: 6, arbitrary: objectOf(value) }, { weight: 1, arbitrary: value }),
  })
  .map((fields) => makeEvent({ id: 'e-1', ...fields }))
  .filter((one) => view(one).choices.length <= MAX_CHOICES);

const wildcardText = fc.constantFrom(
  'a*',
  '*b',
  'a*b',
  '*',
  '*a*',
  'a\\*b',
  '*b*c',
  'ab',
  '10.*.1',
  'a*a',
  '*ab*',
);
const words1 = fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 }));
const some = fc.constantFrom(...texts.filter((one) => one !== ''));
const some1 = fc.oneof(some, fc.array(some, { minLength: 1, maxLength: 3 }));
const range = fc
  .tuple(fc.constantFrom('>', '>='), number, fc.constantFrom('<', '<='), number)
  .filter(([low, from, high, to]) => from < to || (from === to && low === '>=' && high === '<='))
  // Between two neighbours there is nothing: refused, as reversed ones are.
  .filter(([low, from, high, to]) => !(low === '>' && high === '<' && to - from < 1e-14));
const ignoringCase = text.map((one) => ({ 'equals-ignore-case': one }));

export const matcher: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: leaf },
  fc.oneof(text, ignoringCase).map((prefix) => ({ prefix })),
  fc.oneof(text, ignoringCase).map((suffix) => ({ suffix })),
  ignoringCase,
  wildcardText.map((wildcard) => ({ wildcard })),
  fc
    .oneof(range, fc.tuple(fc.constantFrom('=', '<', '<=', '>', '>='), number))
    .map((numeric) => ({ numeric })),
  fc.boolean().map((exists) => ({ exists })),
  fc
    .constantFrom(
      '10.0.0.0/8',
      '10.0.0.0/24',
      '0.0.0.0/0',
      '10.0.0.1/32',
      '2001:db8::/32',
      '::/0',
      '2001:db8::1/128',
    )
    .map((cidr) => ({ cidr })),
  fc
    .oneof(
      words1,
      fc.oneof(number, fc.array(number, { minLength: 1, maxLength: 3 })),
      some1.map((prefix) => ({ prefix })),
      some1.map((suffix) => ({ suffix })),
      words1.map((one) => ({ 'equals-ignore-case': one })),
      fc
        .oneof(wildcardText, fc.array(wildcardText, { minLength: 1, maxLength: 2 }))
        .map((wildcard) => ({ wildcard })),
    )
    .map((one) => ({ 'anything-but': one })),
);
const matchers = fc.array(matcher, { minLength: 1, maxLength: 3 });

const { fields } = fc.letrec<{ fields: unknown }>((tie) => ({
  fields: objectWith([
    [5, fc.constantFrom('a', 'b', 'c', 'a.b', 'a.b.c', '__proto__'), matchers],
    [
      2,
      fc.constantFrom('a', 'b'),
      fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        objectWith([[1, fc.constantFrom('a', 'b', 'c'), matchers]]),
        tie('fields'),
      ),
    ],
    [
      1,
      fc.constant('$or'),
      fc.array(
        fc.oneof(
          { maxDepth: 2, depthSize: 'small' },
          objectWith([[1, fc.constantFrom('a', 'b', 'c'), matchers]]),
          tie('fields'),
        ),
        { minLength: 2, maxLength: 3 },
      ),
    ],
  ]),
}));

function objectWith(
  kinds: readonly (readonly [number, fc.Arbitrary<string>, fc.Arbitrary<unknown>])[],
): fc.Arbitrary<unknown> {
  const entry = fc.oneof(
    ...kinds.map(([weight, key, one]) => ({ weight, arbitrary: fc.tuple(key, one) })),
  );
  return fc
    .uniqueArray(entry, { selector: ([key]) => key, minLength: 1, maxLength: 3 })
    .map((entries) =>
      JSON.parse(
        `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(one)}`).join()}}`,
      ),
    );
}

const attribute = fc.oneof(
  fc.tuple(
    fc.constant('type'),
    fc.oneof(
      fc.constantFrom(...words).map((word) => [word]),
      fc.constant([{ prefix: 'order.' }]),
      fc.constant([{ 'anything-but': 'order.paid' }]),
    ),
  ),
  fc.tuple(fc.constant('source'), fc.constant(['shop'])),
  fc.tuple(fc.constant('priority'), fc.constant([{ numeric: ['>=', 3] }])),
  fc.tuple(
    fc.constant('subject'),
    fc.constantFrom([{ exists: false }], ['o-1'], [{ 'anything-but': 'o-1' }]),
  ),
  fc.tuple(
    fc.constant('timestamp'),
    fc.constantFrom(
      [{ prefix: '2026' }],
      [{ numeric: ['<', 1] }],
      [{ numeric: ['>', 0] }, { prefix: '1970-01-01T00:00:00.000' }],
    ),
  ),
);
const part = fc.oneof(
  attribute,
  fc.tuple(fc.constant('data'), fc.oneof(fields, fields, matchers)),
  fc.tuple(fc.constantFrom('data.a', 'data.b', 'data.a.b'), matchers),
);
const plain = fc
  .uniqueArray(part, { selector: ([key]) => key, minLength: 1, maxLength: 3 })
  .map((entries) => Object.fromEntries(entries));

export const pattern = fc.oneof(
  { weight: 5, arbitrary: plain },
  {
    weight: 1,
    arbitrary: fc
      .tuple(plain, fc.array(plain, { minLength: 2, maxLength: 3 }))
      .map(([one, $or]) => ({ ...one, $or })),
  },
) as fc.Arbitrary<Pattern>;
