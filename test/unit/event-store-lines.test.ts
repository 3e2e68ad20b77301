import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocateColumns, joinColumns } from '../../src/storage/segments/columns.ts';
import { bytesOfLines, LineReader, packLines } from '../../src/storage/segments/lines.ts';

const line = fc.oneof(
  { weight: 60, arbitrary: fc.string({ minLength: 1, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }) },
);
const part = fc.array(line, { minLength: 1, maxLength: 300, size: 'max' }).chain((lines) =>
  fc.record({
    lines: fc.constant(lines),
    from: fc.integer({ min: 0, max: lines.length - 1 }),
    damaged: fc.option(fc.nat({ max: lines.length - 1 }), { nil: -1 }),
    backward: fc.boolean(),
    every: fc.integer({ min: 1, max: 3 }),
  }),
);

test('any line of any part reads as it was written, in any order; a damaged one does not read', () => {
  fc.assert(
    fc.property(part, ({ lines, from, damaged, backward, every }) => {
      const columns = allocateColumns(lines.length);
      const bytes = packLines(lines, columns);
      const header = { first: 1, count: lines.length, columns: joinColumns(columns) };
      if (damaged >= 0) bytes[columns.offsets[damaged]!]! ^= 1;
      const { start, end } = bytesOfLines(header, from, lines.length);
      const reader = new LineReader(header, from, bytes.slice(start, end));
      const indexes = lines.map((_, i) => i).filter((i) => i >= from && i % every === 0);
      if (backward) indexes.reverse();
      const read = indexes.map((i) => reader.lineIfSound(i));
      expect(read).toEqual(indexes.map((i) => (i === damaged ? undefined : lines[i])));
    }),
    { numRuns: 300 },
  );
});
