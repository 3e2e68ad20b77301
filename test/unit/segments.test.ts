import { expect, test } from 'vitest';
import { makeEvent } from 'millrace';
import { packSegments } from '../../src/storage/segments/segment.ts';
import { jsonLists } from '../../src/storage/sqlite/bindings.ts';

/** What a row of a Durable Object may hold. */
const ROW_BYTES = 2_000_000;

test('a segment’s row stays below what a Durable Object takes, in any script and with the longest terms', () => {
  const long = (n: number, length: number): string => `${n}`.padEnd(length, '事');
  const events = Array.from({ length: 900 }, (_, n) =>
    makeEvent({
      id: long(n, 128),
      type: long(n, 256),
      data: { text: '事'.repeat(n % 3 === 0 ? 4_000 : 10) },
      timestamp: n,
      source: 'shop',
      priority: 2,
      correlationId: long(n, 256),
      subject: long(n, 512),
    }),
  );
  const segments = packSegments(1, events, () => false);
  expect(segments.reduce((sum, { count }) => sum + count, 0)).toBe(events.length);
  const bytes = (text: string): number => new TextEncoder().encode(text).byteLength;
  const rows = segments.map(
    ({ lines, columns, terms }) => lines.byteLength + columns.byteLength + bytes(JSON.stringify(terms)),
  );
  expect(Math.max(...rows)).toBeLessThan(ROW_BYTES);
  const lists = jsonLists(events.map(({ id }, n) => [id, n]));
  expect(Math.max(...lists.map(bytes))).toBeLessThan(ROW_BYTES);
  expect(lists.flatMap((list) => JSON.parse(list) as unknown[])).toEqual(
    events.map(({ id }, n) => [id, n]),
  );
});
