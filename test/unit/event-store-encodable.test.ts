import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEventFactory, encodeLine, EventStore, hostPorts, makeEvent, openMemory } from 'millrace';
import { isPlainlyEncodable } from '../../src/storage/encodable.ts';

const make = createEventFactory({ source: 'shop', ports: hostPorts });
const big = 'x'.repeat(300_000);

/** What JSON takes, what it refuses, and what has a word of its own in it. */
const anything = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withTypedArray: true,
    withNullPrototype: true,
    withBoxedValues: true,
    maxDepth: 4,
  }),
  fc.jsonValue(),
  fc.record({
    toJSON: fc.constantFrom(
      1,
      () => 1n,
      () => big,
      undefined,
    ),
    rest: fc.jsonValue(),
  }),
  fc.array(fc.constantFrom(Symbol('s'), () => 1, 1n, Object(1n), Number.NaN, undefined, '\ud800"\n')),
);

test('what is said to be encodable without writing it can be written, whatever it is', () => {
  let said = 0;
  const check = (data: unknown): void => {
    if (data === undefined) return;
    const event = make('product.added', data);
    if (!isPlainlyEncodable(event)) return;
    said++;
    encodeLine(event);
  };
  fc.assert(fc.property(anything, check), { numRuns: 3000 });
  // The longest texts of all other fields, each character of which JSON writes as six.
  const long = (length: number): string => '\u0001'.repeat(length);
  const envelope = {
    ...{ id: long(128), type: long(256), source: long(1024), correlationId: long(256) },
    ...{ causationId: long(128), subject: long(512), timestamp: 0, priority: 2 as const },
  };
  fc.assert(
    fc.property(fc.integer({ min: 39_000, max: 45_000 }), fc.boolean(), (length, keyed) => {
      const data = keyed ? { [long(length)]: 1 } : [long(length)];
      const event = makeEvent({ ...envelope, data });
      if (!isPlainlyEncodable(event)) return;
      said++;
      encodeLine(event);
    }),
  );
  expect(said).toBeGreaterThan(100);
});

test('what is plain is, and what has to be tried is not', () => {
  const plain = [null, 1, 'a', true, {}, [], { a: [{ b: 'c' }] }];
  const tried = [new Date(), { a: 1n }, { toJSON: () => 1 }, new Map(), 'x'.repeat(50_000)];
  const said = [...plain, ...tried].map((data) => isPlainlyEncodable(make('product.added', data)));
  expect(said).toEqual([...plain.map(() => true), ...tried.map(() => false)]);
});

test('a log in memory refuses at once what it could not write later, and says how long its lines are', async () => {
  const store = new EventStore(openMemory());
  const good = make('product.added', { name: 'espresso' });
  for (const data of [{ a: 1n }, { name: big }, { toJSON: () => 1n }]) {
    const append = async () => store.append([good, make('product.added', data)]);
    await expect(append()).rejects.toMatchObject({ code: /^(event.invalid|limit.exceeded)$/ });
  }
  expect((await store.read({})).head).toBe(0);
  const hard = make('product.added', { at: new Date(0) });
  await store.append([good, hard]);
  const bytes = encodeLine(good).length + encodeLine(hard).length;
  expect(await store.storage.stats()).toMatchObject({ events: 2, bytes });
  const unmeasured = openMemory();
  await unmeasured.commit([{ events: [good, hard] }]);
  await unmeasured.trim(1);
  expect(await unmeasured.stats()).toMatchObject({ bytes: encodeLine(hard).length });
  await store.storage.trim(1);
  await store.append(make('product.added', 'third'));
  const { events } = await store.read({});
  const left = events.reduce((sum, { line }) => sum + line.length, 0);
  expect(await store.storage.stats()).toMatchObject({ events: 2, bytes: left });
  expect(JSON.parse(events[0]!.line)).toMatchObject({ data: { at: '1970-01-01T00:00:00.000Z' } });
});
