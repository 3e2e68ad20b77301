import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventFactory } from '../../src/event/factory.ts';
import { decodeLine, encodeLine } from '../../src/event/wire.ts';
import { createLineWriter } from '../../workers/browser/page-line.ts';

const ports = { now: () => 1_795_000_000_000, fillRandom: () => {} };
const make = createEventFactory({ source: 'shop', ports });
const write = createLineWriter({ source: 'shop', ports });

const text = fc.stringMatching(/^[a-z.]{1,20}$/);
const options = fc.record(
  {
    timestamp: fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }),
    priority: fc.constantFrom(1 as const, 2 as const, 3 as const, 4 as const),
    correlationId: text,
    causationId: text,
    subject: text,
  },
  { requiredKeys: [] },
);

describe('a line that a page writes without checking', () => {
  it('is the line of the event', () => {
    fc.assert(
      fc.property(text, fc.jsonValue(), options, (type, data, given) => {
        const event = make(type, data, { ...given, id: 'one' });
        const { line } = write(type, data, { ...given, id: 'one' });
        expect(line).toBe(encodeLine(event));
      }),
    );
  });

  it.each([
    ['a priority that is none', {}, { priority: 9 as never }, '/priority'],
    ['a time past the year 9999', {}, { timestamp: 1e15 }, '/timestamp'],
    ['a time between two ms', {}, { timestamp: 1.5 }, '/timestamp'],
    ['an empty subject', {}, { subject: '' }, '/subject'],
    ['half a surrogate pair', {}, { correlationId: '\ud800' }, '/correlation_id'],
    ['no data', undefined, {}, '/data'],
  ])('is refused where it is decoded: %s', (_, data, given, path) => {
    const { line } = write('page.viewed', data, given);
    expect(() => decodeLine(line)).toThrow(
      expect.objectContaining({ code: 'event.invalid', details: expect.objectContaining({ path }) }),
    );
  });
});
