import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTimestamp, parseTimestamp } from 'millrace';

const anyTime = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });

describe('a timestamp on the wire', () => {
  test('is what Date writes, and reads back as the same ms', () => {
    fc.assert(
      fc.property(anyTime, (time) => {
        expect(formatTimestamp(time)).toBe(new Date(time).toISOString());
        expect(parseTimestamp(formatTimestamp(time))).toBe(time);
      }),
      { numRuns: 5_000 },
    );
  });

  test('is read in the second that was written last as in any other', () => {
    const ending = fc.string({
      minLength: 3,
      maxLength: 3,
      unit: fc.constantFrom(...'0123456789a/:. +-'),
    });
    fc.assert(
      fc.property(anyTime, ending, (time, ms) => {
        const text = formatTimestamp(time).slice(0, -4);
        const expected = /^[0-9]{3}$/.test(ms) ? new Date(`${text}${ms}Z`).getTime() : undefined;
        expect(parseTimestamp(`${text}${ms}Z`)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['2015-05-17T10:05:03Z', Date.UTC(2015, 4, 17, 10, 5, 3)],
    ['2015-05-17T10:05Z', Date.UTC(2015, 4, 17, 10, 5)],
    ['2015-05-17 10:05:03.123456', Date.UTC(2015, 4, 17, 10, 5, 3, 123)],
    ['2015-05-17T10:05:03.5+02:00', Date.UTC(2015, 4, 17, 8, 5, 3, 500)],
    ['2015-05-17t10:05:03.000z', Date.UTC(2015, 4, 17, 10, 5, 3)],
    ['2024-02-29T00:00:00.000Z', Date.UTC(2024, 1, 29)],
  ])('%s is read, without a zone as UTC', (text, time) => {
    expect(parseTimestamp(text)).toBe(time);
  });

  test.each([
    '',
    'now',
    '2015',
    '2015-05-17',
    '2015-13-01T00:00:00.000Z',
    '2015-02-29T00:00:00.000Z',
    '2015-04-31T00:00:00.000Z',
    '2015-05-17T24:01:00.000Z',
    '2015-05-17T10:60:03.000Z',
    '2015-05-17T10:05:61.000Z',
    '2015-05-1xT10:05:03.000Z',
    '2015-05-17T10:05:03.000Z\n',
    '+12015-05-17T10:05:03Z',
  ])('%j is refused', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });
});
