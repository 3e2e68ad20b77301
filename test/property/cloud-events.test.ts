/** An event goes through CloudEvents and comes back as it was, and so does a CloudEvent that an event can hold. */
import { CloudEvent, HTTP } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  fromCloudEvent,
  fromCloudEventHeaders,
  toCloudEvent,
  toCloudEventHeaders,
} from '../../src/event/cloud-events.ts';
import { makeEvent, type Event } from '../../src/event/event.ts';
import { isStorableText } from '../../src/event/text.ts';
import { isPriority } from '../../src/event/priority.ts';
import { toWire } from '../../src/event/wire.ts';

const text = (maxLength: number) =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength }).filter(isStorableText);
const source = fc.oneof(
  text(40),
  fc.webUrl(),
  fc.constant('urn:millrace:source:x'),
  fc.constant('/a%20b'),
);

const event: fc.Arbitrary<Event> = fc
  .record({
    id: text(20),
    type: text(20),
    source,
    data: fc.jsonValue({ maxDepth: 3 }),
    timestamp: fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }),
    priority: fc.constantFrom(1, 2, 3, 4).filter(isPriority),
    correlationId: fc.option(text(20), { nil: undefined }),
    causationId: fc.option(text(20), { nil: undefined }),
    subject: fc.option(text(20), { nil: undefined }),
  })
  .map((fields) => makeEvent(fields));

describe('CloudEvents', () => {
  test('an event comes back from the structured mode as it was', () => {
    fc.assert(
      fc.property(event, (given) => {
        const json: unknown = JSON.parse(JSON.stringify(toCloudEvent(given)));
        expect(toWire(fromCloudEvent(json))).toEqual(JSON.parse(JSON.stringify(toWire(given))));
      }),
      { numRuns: 1000 },
    );
  });

  test('an event comes back from the headers of the binary mode as it was', () => {
    fc.assert(
      fc.property(event, (given) => {
        const headers = new Headers(toCloudEventHeaders(given));
        const data: unknown = JSON.parse(JSON.stringify(given.data));
        const read = fromCloudEvent({ ...fromCloudEventHeaders(headers), data });
        expect(toWire(read)).toEqual(JSON.parse(JSON.stringify(toWire(given))));
      }),
      { numRuns: 1000 },
    );
  });

  test('a CloudEvent comes back from an event as it was', () => {
    fc.assert(
      fc.property(event, (given) => {
        const first = toCloudEvent(given);
        expect(toCloudEvent(fromCloudEvent(first))).toEqual(first);
      }),
      { numRuns: 500 },
    );
  });

  test('the official SDK reads what we write, and finds it valid', () => {
    fc.assert(
      fc.property(event, (given) => {
        const written = toCloudEvent(given);
        const headers = { 'content-type': 'application/cloudevents+json' };
        const read = HTTP.toEvent<unknown>({
          headers,
          body: JSON.stringify(written),
        }) as CloudEvent<unknown>;
        expect(read).toMatchObject({ id: given.id, type: given.type, source: written.source });
        expect(new CloudEvent({ ...written, time: written.time }).validate()).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    [null, ''],
    [[], ''],
    [{ id: 'e', type: 'a.b', source: 's' }, '/specversion'],
    [{ specversion: '0.3', id: 'e', type: 'a.b', source: 's' }, '/specversion'],
    [
      { specversion: '1.0', id: 'e', type: 'a.b', source: 's', datacontenttype: 'text/xml' },
      '/datacontenttype',
    ],
    [{ specversion: '1.0', id: 'e', type: 'a.b', source: 's', data_base64: 'AA==' }, '/data_base64'],
    [{ specversion: '1.0', type: 'a.b', source: 's', time: '2026-01-31T09:30:00Z' }, '/id'],
  ])('%j is refused at %s', (given, path) => {
    expect(() => fromCloudEvent(given)).toThrow(
      expect.objectContaining({ code: 'event.invalid', details: expect.objectContaining({ path }) }),
    );
  });
});
