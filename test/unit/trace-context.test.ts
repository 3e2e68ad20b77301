/** W3C Trace Context in events: on the wire, as a CloudEvent, from cause to effect, and in every log. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  causedBy,
  continueTrace,
  createEventFactory,
  decodeLine,
  encodeLine,
  formatTraceparent,
  fromCloudEvent,
  fromCloudEventHeaders,
  fromWire,
  hasCode,
  hostPorts,
  openMemory,
  openSqlite,
  parseTraceparent,
  startTrace,
  toCloudEvent,
  toCloudEventHeaders,
  toWire,
  type Storage,
} from 'millrace';
import { traceparentOfLine } from '../../src/event/trace-context.ts';
import { nodeSqlite } from '../conformance/drivers/node-sqlite.ts';

const make = createEventFactory({ source: 'shop', ports: hostPorts });
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map((digits) => digits.join(''))
    .filter((digits) => !/^0+$/.test(digits));
const contexts = fc.record({ traceId: hex(32), spanId: hex(16), sampled: fc.boolean() });

test('a traceparent is read as it was written, and nothing else is one', () => {
  fc.assert(
    fc.property(contexts, (context) => {
      expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
    }),
  );
  const refused = [
    '',
    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
    '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331',
    `${TRACE}-more`,
    ` ${TRACE}`,
    `${TRACE}\n`,
  ];
  for (const text of refused) {
    expect([text, parseTraceparent(text)]).toEqual([text, undefined]);
    expect(() => make('page.viewed', {}, { traceparent: text })).toThrow('/traceparent'.slice(1));
  }
  // Section 3.2.4: of a later version, what version 00 says.
  expect(parseTraceparent(`cc${TRACE.slice(2)}-what-comes-later`)).toEqual(parseTraceparent(TRACE));
});

test('what continues a trace has its id and a span of its own; what starts one has both', () => {
  fc.assert(
    fc.property(contexts, (context) => {
      const next = parseTraceparent(continueTrace(formatTraceparent(context), hostPorts))!;
      expect(next).toMatchObject({ traceId: context.traceId, sampled: context.sampled });
      expect(next.spanId).not.toBe(context.spanId);
    }),
  );
  expect(continueTrace('nonsense', hostPorts)).toBeUndefined();
  expect(new Set(Array.from({ length: 100 }, () => startTrace(hostPorts))).size).toBe(100);
  expect(parseTraceparent(startTrace(hostPorts, { sampled: false }))?.sampled).toBe(false);
});

test('zeros, which mean none, are drawn again', () => {
  let draws = 0;
  const fillRandom = (bytes: Uint8Array): void => void bytes.fill(draws++ < 2 ? 0 : 1);
  expect(startTrace({ fillRandom })).toBe(`00-${'01'.repeat(16)}-${'01'.repeat(8)}-01`);
});

test('an effect names its cause, and has its correlation and its trace', () => {
  const cause = make('order.placed', {}, { correlationId: 'visit-1', traceparent: TRACE });
  const effect = make('parcel.packed', {}, causedBy(cause));
  expect(effect).toMatchObject({ causationId: cause.id, correlationId: 'visit-1' });
  expect(effect.traceparent, 'who records nothing passes it on').toBe(TRACE);
  const within = continueTrace(TRACE, hostPorts);
  expect(causedBy(cause, { within }).traceparent, 'the span in which it is made').toBe(within);
  const first = make('order.placed', {});
  expect(causedBy(first)).toEqual({ causationId: first.id, correlationId: first.id });
});

test('it is on the wire, in a CloudEvent’s three modes, and refused with its pointer', () => {
  const event = make('order.placed', { total: 30 }, { traceparent: TRACE });
  expect(toWire(event).traceparent).toBe(TRACE);
  expect(decodeLine(encodeLine(event)).traceparent).toBe(TRACE);
  expect(toCloudEvent(event).traceparent).toBe(TRACE);
  expect(fromCloudEvent(toCloudEvent(event))).toEqual(event);
  const binary = fromCloudEventHeaders(Object.entries(toCloudEventHeaders(event)));
  expect(fromCloudEvent({ ...binary, data: event.data })).toEqual(event);
  expect(toWire(make('order.placed', {}))).not.toHaveProperty('traceparent');
  let error: unknown;
  try {
    fromWire({ ...toWire(event), traceparent: 'nonsense' });
  } catch (thrown) {
    error = thrown;
  }
  expect(hasCode(error, 'event.invalid') && error.details.path).toBe('/traceparent');
});

test('another’s malformed trace context does not refuse their CloudEvent', () => {
  const cloudEvent = toCloudEvent(make('order.placed', {}));
  for (const traceparent of ['nonsense', 7, null, '00-0-0-0'])
    expect(fromCloudEvent({ ...cloudEvent, traceparent }).traceparent).toBeUndefined();
  const later = `01${TRACE.slice(2)}-more`;
  expect(fromCloudEvent({ ...cloudEvent, traceparent: later }).traceparent).toBe(TRACE);
});

test('it is found in a line as parsing finds it, whatever the data says', () => {
  const spoof = fc.constantFrom(
    TRACE,
    `,"traceparent":"${TRACE}"}`,
    `"traceparent":"${TRACE}"`,
    `\\","traceparent":"${TRACE}`,
  );
  const data = fc.oneof(fc.jsonValue(), fc.record({ traceparent: spoof }), spoof, fc.array(spoof));
  fc.assert(
    fc.property(data, fc.option(fc.constant(TRACE)), spoof, (data, traceparent, subject) => {
      const event = make('order.placed', data, { subject, traceparent: traceparent ?? undefined });
      const { traceparent: mine, ...rest } = toWire(event);
      const lines = [encodeLine(event), JSON.stringify({ traceparent: mine, ...rest })];
      // Another's key, at the end, that ends as ours does.
      lines.push(
        JSON.stringify({ traceparent: mine, ...rest, 'my"traceparent': startTrace(hostPorts) }),
      );
      for (const line of lines) expect(traceparentOfLine(line)).toBe(traceparent ?? undefined);
    }),
  );
});

const drivers: readonly (readonly [string, () => Storage])[] = [
  ['memory', () => openMemory()],
  ['SQLite', () => openSqlite(nodeSqlite(':memory:'))],
];

test.each(drivers)(
  'in %s it is kept, and the same event by another trace is the same',
  async (_, open) => {
    const log = open();
    const event = make('order.placed', { total: 30 }, { traceparent: TRACE });
    const again = make('order.placed', { total: 30 }, { ...event, traceparent: startTrace(hostPorts) });
    const other = make('order.placed', { total: 31 }, { ...event });
    const [first] = await log.commit([{ events: [event] }]);
    const [second] = await log.commit([{ events: [again] }]);
    const [third] = await log.commit([{ events: [other] }]);
    expect([first?.ok, second?.ok, third?.ok]).toEqual([true, true, false]);
    const { events } = await log.read({});
    expect(events.map(({ event }) => event.traceparent)).toEqual([TRACE]);
    await log.close();
  },
);
